"""The JSON that is sent, always under 20 kB."""

import copy
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from aimessage.api.renderers import OrjsonRenderer, write_time
from aimessage.webhooks.kinds import Told

#: Bytes of a body, at most.
MOST = 20_000 - 1


def build_body(kind: str, at: datetime, told: Told, *, include_content: bool) -> str:
    """With content the API's object besides the ids, its texts cut where the body would get too long."""
    objects = told.objects if include_content else {}
    body = _dump(kind, at, {**told.ids, **objects})
    if len(body.encode()) <= MOST:
        return body
    data = {**told.ids, **copy.deepcopy(dict(objects)), "truncated": True}
    for holder, name in sorted(_texts(data), key=lambda text: len(text[0][text[1]]), reverse=True):
        whole = holder[name]
        fits, low, high = "", 0, len(whole)
        while low <= high:
            middle = (low + high) // 2
            holder[name] = whole[:middle]
            body = _dump(kind, at, data)
            if len(body.encode()) <= MOST:
                fits, low = body, middle + 1
            else:
                high = middle - 1
        if fits:
            return fits
        holder[name] = ""
    return _dump(kind, at, {**told.ids, "truncated": True})


def _texts(data: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str]]:
    """Each text of the objects in `data`, as where it is and under which name."""
    for holder in (value for value in data.values() if isinstance(value, dict)):
        for name, value in holder.items():
            if isinstance(value, str):
                yield holder, name


def _dump(kind: str, at: datetime, data: Mapping[str, Any]) -> str:
    return OrjsonRenderer().render({"type": kind, "timestamp": write_time(at), "data": data}).decode()
