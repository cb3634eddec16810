"""What is done with text that clients send, however long it is, in time that grows no faster than it."""

import unicodedata

import regex

#: Normalising takes quadratic time where combining marks are out of order, and holds the interpreter's lock.
#: No text that is normalised for a comparison is longer: the longest of their columns has 255 characters.
NORMALIZED_AT_MOST = 1000

#: Neither white space nor what Unicode calls default-ignorable, as U+3164 and U+00AD. U+2800 is a Braille
#: pattern without dots.
_VISIBLE = regex.compile(r"[^\p{White_Space}\p{Default_Ignorable_Code_Point}\u2800]")
_CONTROLS = regex.compile(r"[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]")


def is_visible(text: str) -> bool:
    """Whether a reader would see anything of `text`."""
    return _VISIBLE.search(text) is not None


def without_controls(text: str) -> str:
    """`text` without control characters, line separators, and what turns the direction of writing."""
    return _CONTROLS.sub("", text)


def normalize(form: str, text: str) -> str:
    """The first NORMALIZED_AT_MOST characters of `text` in a Unicode normalization form.

    Callers refuse what is too long before. This is for the one that forgets to.
    """
    return unicodedata.normalize(form, text[:NORMALIZED_AT_MOST])  # type: ignore[arg-type]


def fold(text: str) -> str:
    """`text` without regard to case or compatibility variants (Unicode 3.13, toNFKC_Casefold)."""
    # Some characters stand for a dozen, so that the folded text may be longer than what was cut.
    return unicodedata.normalize("NFKC", normalize("NFKC", text).casefold())
