"""Removes Markdown images from answers: a client that renders one fetches its URL, which could leak data.

Only the alternative text of an image stays. While an answer is written, text that may still become part of an
image is held back, so that later text never changes what was shown before.
"""

from aimessage.db.text import is_visible
from messaging.models import CONTENT_MAX_LENGTH

#: Characters within which a bracket must close, and how deep brackets nest; otherwise it is not an image.
WINDOW, DEPTH = 1000, 20
CUT = "… (cut off)"


class _Unfinished(Exception):
    """Only the text that follows decides whether this is an image."""


def clean_answer(text: str, *, opening: str = "", is_whole: bool = True) -> str:
    """Returns the text of a model as it can be sent, after `opening`; empty if nothing visible is left.

    If `is_whole` is False, more text will follow. Then the result is a prefix of all later results.
    """
    text = text.replace("\0", "").encode("utf-8", "replace").decode()
    text = without_images(text, is_whole=is_whole).strip()
    if not is_visible(text):
        return ""
    text = opening + text
    return text if len(text) <= CONTENT_MAX_LENGTH else cut(text, CONTENT_MAX_LENGTH)


def cut(text: str, length: int) -> str:
    return text[: length - len(CUT)] + CUT


def without_images(text: str, *, is_whole: bool = True) -> str:
    if "!" not in text:
        return text
    written: list[str] = []
    position = 0
    while position < len(text):
        if text[position] != "!":
            end = text.find("!", position)
            end = end if end >= 0 else len(text)
            _write(written, text[position:end])
            position = end
            continue
        try:
            words, position = _read(text, position, is_whole)
        except _Unfinished:
            break
        _write(written, words)
    return "".join(written)


def _write(written: list[str], part: str) -> None:
    # An exclamation mark before it would make it an image.
    if part.startswith("[") and written and written[-1].endswith("!"):
        written.append(" ")
    if part:
        written.append(part)


def _read(text: str, start: int, is_whole: bool) -> tuple[str, int]:
    # Returns the text that replaces the image, or the mere "!", at `start`, and where that ends.
    if start + 1 == len(text) and not is_whole:
        raise _Unfinished
    if text[start + 1 : start + 2] != "[":
        return "!", start + 1
    end = _after_closing_bracket(text, start + 1, is_whole)
    if end is None:
        return "", start + 1
    words = without_images(text[start + 2 : end - 1])
    if end == len(text) and not is_whole:
        raise _Unfinished
    if text[end : end + 1] in ("(", "["):
        end = _after_closing_bracket(text, end, is_whole) or end
    return words, end


def _after_closing_bracket(text: str, start: int, is_whole: bool) -> int | None:
    opening, closing = text[start], {"[": "]", "(": ")"}[text[start]]
    depth, position = 0, start
    stop = min(len(text), start + WINDOW)
    while position < stop:
        if text[position] == "\\":
            position += 1
        elif text[position] == opening:
            depth += 1
            if depth > DEPTH:
                return None
        elif text[position] == closing:
            depth -= 1
            if not depth:
                return position + 1
        position += 1
    if stop == len(text) and stop < start + WINDOW and not is_whole:
        raise _Unfinished
    return None
