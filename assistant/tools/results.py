"""What a tool returns, small enough for a model to read."""

import json
from typing import Any

from aimessage.api.renderers import TimesEncoder

#: Characters of one result, as JSON.
LONGEST = 4000
#: Characters to which texts are cut, one limit after the other, until the result is short enough.
TEXTS = (2500, 500, 100)
MARK = " [... cut ...] "


def fit(result: object) -> Any:
    """`result` as plain JSON of at most LONGEST characters: texts are cut, then lists lose their ends."""
    plain = json.loads(json.dumps(result, cls=TimesEncoder))
    for limit in TEXTS:
        shown = shorten(plain, limit)
        if size(shown) <= LONGEST:
            return shown
    while size(shown) > LONGEST:
        longest = max(_lists(shown), key=len, default=[])
        if not longest:
            return {"error": "The result is too large"}
        del longest[-1]
        if isinstance(shown, dict):
            shown["more"] = "Not everything is shown"
    return shown


def size(value: object) -> int:
    return len(json.dumps(value, ensure_ascii=False))


def cut(text: str, limit: int) -> str:
    """`text` with at most `limit` characters, without its middle."""
    if len(text) <= limit:
        return text
    kept = max(limit - len(MARK), 2)
    return text[: kept - kept // 2] + MARK + text[-(kept // 2) :]


def shorten(value: object, limit: int) -> Any:
    """`value` with each text cut to `limit` characters."""
    if isinstance(value, str):
        return cut(value, limit)
    if isinstance(value, list):
        return [shorten(item, limit) for item in value]
    if isinstance(value, dict):
        return {key: shorten(item, limit) for key, item in value.items()}
    return value


def _lists(value: object) -> list[list[Any]]:
    """The lists in `value` that hold something."""
    if isinstance(value, dict):
        return [found for item in value.values() for found in _lists(item)]
    return [value] if isinstance(value, list) and value else []
