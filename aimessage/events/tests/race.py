"""Writers that commit out of order, and a reader that follows."""

import random
import time
from collections.abc import Iterator

from django.db import transaction

from aimessage.events.log import record
from aimessage.events.reading import from_cursor, read_user_events, to_cursor

READER = 7
PAGE = 7
#: What a writer writes last; a reader that has seen that of every writer has seen everything.
END = "end"


class _Undo(Exception):
    pass


def write(seed: int, count: int, *, longest: float = 0.05) -> list[str]:
    """Commits events in transactions of up to `longest` seconds, a fifth of which are rolled back, and some
    in a savepoint that is; returns what was committed.
    """
    chance = random.Random(seed)
    committed = []
    for number in range(count):
        name = f"{seed}-{number}"
        try:
            with transaction.atomic():
                record("test", [READER, 8], data=name)
                try:
                    with transaction.atomic():
                        record("test", [READER], data=f"{name} undone")
                        raise _Undo
                except _Undo:
                    pass
                time.sleep(chance.uniform(0, longest))
                record("test", [READER], data=f"{name} second")
                if chance.random() < 0.2:
                    raise _Undo
        except _Undo:
            continue
        committed += [name, f"{name} second"]
    record("test", [READER], data=f"{seed} {END}")
    return [*committed, f"{seed} {END}"]


def follow(cursor: str, writers: int, *, seconds: float = 60) -> list[str]:
    """What READER gets, page by page, each from the cursor of the one before."""
    return list(_follow(cursor, writers, time.monotonic() + seconds))


def _follow(cursor: str, writers: int, deadline: float) -> Iterator[str]:
    while writers and time.monotonic() < deadline:
        page = read_user_events(READER, from_cursor(cursor), PAGE)
        for row in page.rows:
            yield row.data
            writers -= row.data.endswith(END)
        cursor = to_cursor(page.end)
        if not page.more:
            time.sleep(0.005)
