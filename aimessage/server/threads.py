"""Which requests get one of the worker's threads, and which wait for one."""

import re
from collections import Counter, deque
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import TYPE_CHECKING

from aimessage.server.connections import Connection

if TYPE_CHECKING:
    from aimessage.server.worker import Worker

#: A separate thread answers these when the others are busy.
URGENT = re.compile(rb"(GET|HEAD) /health/?[? ]")


class Threads:
    def __init__(self, worker: "Worker") -> None:
        self.worker = worker
        #: Whole requests that are being answered or wait for a thread; also by peer.
        self.asking = 0
        self.asking_of: Counter[str | None] = Counter()
        #: Requests of peers that already use their share of the threads.
        self.held_back: dict[str | None, deque[Connection]] = {}
        self.count: int = worker.cfg.threads
        self.max_of_one = max(1, self.count - max(1, self.count // 8))

    @cached_property
    def urgent_pool(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(1, thread_name_prefix="urgent")

    @property
    def crowded(self) -> bool:
        return self.asking > self.count or bool(self.held_back)

    def submit(self, conn: Connection) -> None:
        """Answers the connection's request in a thread, now or when its peer has finished another."""
        self.worker.stop_waiting(conn)
        pool, act = self.worker.tpool, self.worker.handle
        too_many = conn.peer is not None and self.asking_of[conn.peer] >= self.max_of_one
        if (too_many or self.asking >= self.count) and URGENT.match(conn.received):
            pool, act = self.urgent_pool, self.worker.answer
        elif too_many:
            self.held_back.setdefault(conn.peer, deque()).append(conn)
            return
        self.asking += 1
        self.asking_of[conn.peer] += 1
        pool.submit(act, conn).add_done_callback(
            lambda done: self.worker.method_queue.defer(self.worker.finish_request, conn, done)
        )

    def release(self, conn: Connection) -> None:
        self.asking -= 1
        self.asking_of[conn.peer] -= 1
        if not self.asking_of[conn.peer]:
            del self.asking_of[conn.peer]
        if held_back := self.held_back.get(conn.peer):
            self.submit(held_back.popleft())
            if not held_back:
                del self.held_back[conn.peer]
