"""Builds the JSON body of a webhook, always under 20 kB."""

import copy
from collections.abc import Iterator, Mapping
from datetime import datetime

from aimessage.api.renderers import OrjsonRenderer, write_time
from aimessage.webhooks.kinds import Told

MAX_BYTES = 20_000 - 1


def build_body(kind: str, at: datetime, told: Told, *, include_content: bool) -> str:
    """The ids, and with content also the API's objects, whose longest texts are cut to fit MAX_BYTES."""
    objects = told.objects if include_content else {}
    body = _dump(kind, at, {**told.ids, **objects})
    if len(body.encode()) <= MAX_BYTES:
        return body
    data = {**told.ids, **copy.deepcopy(dict(objects)), "truncated": True}
    for holder, name, whole in sorted(_texts(data), key=lambda text: len(text[2]), reverse=True):
        fits, low, high = "", 0, len(whole)
        while low <= high:
            middle = (low + high) // 2
            holder[name] = whole[:middle]
            body = _dump(kind, at, data)
            if len(body.encode()) <= MAX_BYTES:
                fits, low = body, middle + 1
            else:
                high = middle - 1
        if fits:
            return fits
        holder[name] = ""
    return _dump(kind, at, {**told.ids, "truncated": True})


def _texts(data: Mapping[str, object]) -> Iterator[tuple[dict[str, object], str, str]]:
    for holder in (value for value in data.values() if isinstance(value, dict)):
        for name, value in holder.items():
            if isinstance(value, str):
                yield holder, name, value


def _dump(kind: str, at: datetime, data: Mapping[str, object]) -> str:
    return OrjsonRenderer().render({"type": kind, "timestamp": write_time(at), "data": data}).decode()
