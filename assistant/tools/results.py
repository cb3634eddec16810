"""Cuts the results of tools to a size that a model can read."""

import json

from aimessage.api.renderers import TimesEncoder

#: Characters of one result, as JSON.
LONGEST = 4000
#: Limits of characters to which texts are cut, one after the other, until the result is short enough.
TEXTS = (2500, 500, 100)
MARK = " [... cut ...] "


def fit(result: object) -> object:
    """Returns `result` as JSON of at most LONGEST characters. It cuts texts first, then the ends of lists."""
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
    """Cuts the middle out of a text that has more than `limit` characters."""
    if len(text) <= limit:
        return text
    kept = max(limit - len(MARK), 2)
    return text[: kept - kept // 2] + MARK + text[-(kept // 2) :]


def shorten(value: object, limit: int) -> object:
    if isinstance(value, str):
        return cut(value, limit)
    if isinstance(value, list):
        return [shorten(item, limit) for item in value]
    if isinstance(value, dict):
        return {key: shorten(item, limit) for key, item in value.items()}
    return value


def _lists(value: object) -> list[list[object]]:
    # Lists that are not empty, at any depth of objects.
    if isinstance(value, dict):
        return [found for item in value.values() for found in _lists(item)]
    return [value] if isinstance(value, list) and value else []
