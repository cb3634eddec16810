"""Answers without markup of images, which clients that render it would fetch: a way out for what was read.

Only the words of an image stay. Whatever follows cannot change what was shown before it: while an answer is
written, all that might yet become an image is held back.
"""

from aimessage.db.text import is_visible
from messaging.models import CONTENT_MAX_LENGTH

#: Characters within which brackets close, and how deep they nest; beyond that there is no image.
WINDOW, DEPTH = 1000, 20
CUT = "… (cut off)"


class _Unfinished(Exception):
    """What follows will tell."""


def clean_answer(text: str, *, opening: str = "", is_whole: bool = True) -> str:
    """What a model wrote, as it can be sent, after `opening`; empty where there is nothing to be seen.

    With `is_whole` False the beginning of it, which all later ones begin with.
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
    """Adds a part, apart from an exclamation mark that would make an image of it."""
    if part.startswith("[") and written and written[-1].endswith("!"):
        written.append(" ")
    if part:
        written.append(part)


def _read(text: str, start: int, is_whole: bool) -> tuple[str, int]:
    """The words of what an exclamation mark begins, and where it ends."""
    if start + 1 == len(text) and not is_whole:
        raise _Unfinished
    if text[start + 1 : start + 2] != "[":
        return "!", start + 1
    end = _closing(text, start + 1, is_whole)
    if end is None:
        return "", start + 1
    words = without_images(text[start + 2 : end - 1])
    if end == len(text) and not is_whole:
        raise _Unfinished
    if text[end : end + 1] in ("(", "["):
        end = _closing(text, end, is_whole) or end
    return words, end


def _closing(text: str, start: int, is_whole: bool) -> int | None:
    """Where the bracket that opens at `start` is closed, just after; None where it is not, nearby."""
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
