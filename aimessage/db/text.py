"""Normalises and checks texts from clients, in time that is linear in their length."""

import unicodedata

import regex

#: Normalising takes quadratic time if combining marks are out of order, and holds the GIL. Texts that are
#: compared are shorter: the longest of their columns has 255 characters.
NORMALIZED_AT_MOST = 1000

#: Neither white space nor default-ignorable in Unicode's terms (such as U+3164 and U+00AD). U+2800 is the
#: Braille pattern without dots.
_VISIBLE = regex.compile(r"[^\p{White_Space}\p{Default_Ignorable_Code_Point}\u2800]")
_CONTROLS = regex.compile(r"[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]")


def is_visible(text: str) -> bool:
    return _VISIBLE.search(text) is not None


def without_controls(text: str) -> str:
    return _CONTROLS.sub("", text)


def normalize(form: str, text: str) -> str:
    # Callers refuse longer texts. The cut is for a caller that forgets to.
    return unicodedata.normalize(form, text[:NORMALIZED_AT_MOST])  # type: ignore[arg-type]


def fold(text: str) -> str:
    """Texts that differ only in case or compatibility variants get equal (Unicode 3.13, toNFKC_Casefold)."""
    # The result may be longer than NORMALIZED_AT_MOST: some characters fold to a dozen.
    return unicodedata.normalize("NFKC", normalize("NFKC", text).casefold())
