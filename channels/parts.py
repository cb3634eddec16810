"""Cuts a long message into the parts that are sent: Twilio takes at most 1,600 characters at a time."""

import regex

#: Characters of a part.
LIMIT = 1500
#: Ends the last part of a message that does not fit into its parts.
MORE = "… (continues in the app)"
#: Where a text is cut, best first: after a paragraph, a line, a sentence, a word.
_CUTS = [
    regex.compile(pattern)
    for pattern in (r"\n\s*\n\s*", r"\n\s*", r"[.!?…]\s+|[。！？]\s*", r"\s+")  # noqa: RUF001
]
_GRAPHEME = regex.compile(r"\X")


def to_parts(text: str, *, max_parts: int) -> list[str]:
    """Up to `max_parts` parts, as few as possible; joined they are `text`, or its beginning and MORE.

    Parts of nothing but white space are left out, because Twilio refuses them. Graphemes stay whole, except
    one that is itself longer than a part.
    """
    ends = [match.end() for match in _GRAPHEME.finditer(text)]
    parts: list[str] = []
    start = 0
    while len(text) - start > LIMIT and len(parts) < max_parts:
        is_last = len(parts) == max_parts - 1
        end = start + LIMIT - (len(MORE) if is_last else 0)
        # A part may be shorter, for a better cut, only as far as the later parts have room for the rest.
        rest = len(text) - start
        fits = rest <= (max_parts - len(parts)) * LIMIT
        spare = -(-rest // LIMIT) * LIMIT - rest if fits else LIMIT // 3
        end = _best_cut(text, end - spare, end, [at for at in ends if start < at <= end])
        parts.append(text[start:end] + (MORE if is_last else ""))
        start = end
    if len(parts) < max_parts:
        parts.append(text[start:])
    return [part for part in parts if part.strip()]


def _best_cut(text: str, lowest: int, highest: int, grapheme_ends: list[int]) -> int:
    allowed = {at for at in grapheme_ends if at >= lowest}
    for pattern in _CUTS:
        found = (match.end() for match in pattern.finditer(text, lowest, highest))
        if good := [at for at in found if at in allowed]:
            return max(good)
    return max(grapheme_ends, default=highest)
