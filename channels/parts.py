"""A message as the parts in which it leaves: Twilio takes 1,600 characters at a time."""

import regex

#: Characters of a part.
LIMIT = 1500
#: Ends the last part of a message that is longer than all of its parts.
MORE = "… (continues in the app)"
#: Behind what a text is cut, best first: a paragraph, a line, a sentence, a word.
_CUTS = [
    regex.compile(pattern)
    for pattern in (r"\n\s*\n\s*", r"\n\s*", r"[.!?…]\s+|[。！？]\s*", r"\s+")  # noqa: RUF001
]
_GRAPHEME = regex.compile(r"\X")


def to_parts(text: str, *, most: int) -> list[str]:
    """At most `most` parts, no more than are needed; together they are `text`, or its beginning and MORE.

    A part without anything visible is left out, since Twilio refuses it. No grapheme is cut, save one that
    is itself longer than a part.
    """
    ends = [match.end() for match in _GRAPHEME.finditer(text)]
    parts: list[str] = []
    start = 0
    while len(text) - start > LIMIT and len(parts) < most:
        is_last = len(parts) == most - 1
        end = start + LIMIT - (len(MORE) if is_last else 0)
        # What a part gives up for a good cut, the parts after it must have room for.
        rest = len(text) - start
        spare = -(-rest // LIMIT) * LIMIT - rest if rest <= (most - len(parts)) * LIMIT else LIMIT // 3
        end = _cut(text, end - spare, end, [at for at in ends if start < at <= end])
        parts.append(text[start:end] + (MORE if is_last else ""))
        start = end
    if len(parts) < most:
        parts.append(text[start:])
    return [part for part in parts if part.strip()]


def _cut(text: str, lowest: int, highest: int, ends: list[int]) -> int:
    """The best place to cut at, from `lowest` to `highest`; `ends` are those of graphemes."""
    allowed = {at for at in ends if at >= lowest}
    for pattern in _CUTS:
        found = (match.end() for match in pattern.finditer(text, lowest, highest))
        if good := [at for at in found if at in allowed]:
            return max(good)
    return max(ends, default=highest)
