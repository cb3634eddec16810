"""How many connections each of gunicorn's workers has, in memory that they share."""

import mmap

#: The most workers that know of one another.
SLOTS = 256
#: Marks a slot without a worker that accepts connections.
UNUSED = 0xFFFF

#: By slot. The master makes it, so that all workers inherit the same memory.
_connections = memoryview(mmap.mmap(-1, 2 * SLOTS)).cast("H")


def publish(slot: str, connections: int) -> None:
    _connections[int(slot) % SLOTS] = min(connections, UNUSED - 1)


def forget(slot: str) -> None:
    _connections[int(slot) % SLOTS] = UNUSED


def lowest() -> int:
    return min(_connections)


for _slot in range(SLOTS):
    forget(str(_slot))
