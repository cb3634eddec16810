"""Load by clients that read and write all the time, each over one TLS connection, and record all answers."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import cycle
from uuid import uuid4

import psycopg
import requests

from tools.drill.claims import claim
from tools.drill.stand import Person, Stand
from tools.drill.unit import bearer

CLIENTS = 8
#: Statuses after which clients repeat a request, as api.md tells them to.
UNANSWERED = {502, 503, 504}
TIMEOUT = 30.0


@dataclass
class Load:
    """`persistent` clients repeat unanswered requests, POST with the same Idempotency-Key."""

    stand: Stand
    people: list[Person]
    persistent: bool = False
    #: The recipients, in turn. By default each client writes to one other of `people`.
    readers: list[Person] = field(default_factory=list)
    answered: int = 0
    failures: list[str] = field(default_factory=list)
    repeated: int = 0
    slowest: float = 0.0
    #: Maps the Idempotency-Key to the message id in the answer.
    acknowledged: dict[str, int] = field(default_factory=dict)
    #: When each answer came.
    times: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._stop = threading.Event()
        self._lock = threading.Lock()

    def _client(self, number: int) -> None:
        me = self.people[number]
        turns = cycle(self.readers[number::CLIENTS] or [self.people[number - 1]])
        with self.stand.session() as session:
            session.headers.update(bearer(me.token))
            while not self._stop.is_set():
                other = next(turns)
                self._write(session, other)
                self._ask(session, "GET", "/messages?limit=20")
                self._ask(session, "GET", "/api/auth/conversations")
                self._ask(session, "PUT", f"/auth/conversations/{conversation(me, other)}/read")

    def _write(self, session: requests.Session, other: Person) -> None:
        key = uuid4().hex
        answer = self._ask(
            session,
            "POST",
            "/api/messages",
            json={"recipient_id": other.id, "content": key},
            headers={"Idempotency-Key": key},
        )
        if answer is not None:
            with self._lock:
                self.acknowledged[key] = answer.json()["id"]

    def _ask(
        self,
        session: requests.Session,
        method: str,
        path: str,
        json: dict[str, int | str] | None = None,
        headers: dict[str, str] | None = None,
    ) -> requests.Response | None:
        start = time.monotonic()
        while True:
            try:
                url = self.stand.url + path
                answer = session.request(method, url, json=json, headers=headers, timeout=60)
                failure = "" if answer.ok else f"{method} {path}: {answer.status_code} {answer.text[:200]}"
                unanswered = answer.status_code in UNANSWERED
            except requests.RequestException as error:
                failure, unanswered = f"{method} {path}: {error!r}", True
            now = time.monotonic()
            if not (failure and unanswered and self.persistent and now - start < TIMEOUT):
                break
            with self._lock:
                self.repeated += 1
            time.sleep(0.1)
        with self._lock:
            self.slowest = max(self.slowest, now - start)
            if failure:
                self.failures.append(failure)
                return None
            self.answered += 1
            self.times.append(now)
        return answer

    @contextmanager
    def running(self) -> Iterator["Load"]:
        threads = [threading.Thread(target=self._client, args=[number]) for number in range(CLIENTS)]
        for thread in threads:
            thread.start()
        try:
            yield self
        finally:
            self._stop.set()
            for thread in threads:
                thread.join()

    def until(self, done: Callable[[], bool], *, seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while not done() and not (self.failures and not self.persistent) and time.monotonic() < deadline:
            time.sleep(0.1)

    def for_seconds(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        self.until(lambda: time.monotonic() > end)

    def answered_between(self, start: float, end: float) -> int:
        return sum(start <= moment <= end for moment in self.times)

    def show_nothing_failed(self, at_least: int) -> None:
        claim(
            f"no request of {CLIENTS} kept-alive TLS clients failed, of at least {at_least}",
            not self.failures and self.answered >= at_least,
            f"{self.answered} answered, {len(self.failures)} failed, the slowest took {self.slowest:.1f} s"
            + "".join(f"\n    {failure}" for failure in self.failures[:5]),
        )

    def show_nothing_lost(self) -> None:
        with psycopg.connect(self.stand.database_url) as connection:
            rows = connection.execute(
                "SELECT content, count(*), min(id) FROM messaging_message"
                " WHERE content = ANY(%s) GROUP BY content",
                [list(self.acknowledged)],
            ).fetchall()
        stored = {content: first for content, _, first in rows}
        lost = [key for key, number in self.acknowledged.items() if stored.get(key) != number]
        doubled = [content for content, count, _ in rows if count != 1]
        claim(
            "no acknowledged message lost, none doubled",
            bool(self.acknowledged) and not lost and not doubled,
            f"{len(self.acknowledged)} acknowledged, {len(lost)} lost, {len(doubled)} doubled",
        )


def conversation(one: Person, other: Person) -> str:
    return f"conv_{min(one.id, other.id)}_{max(one.id, other.id)}"


def make_clients(stand: Stand) -> list[Person]:
    # Everyone has a conversation, to mark as read.
    people = [stand.register(f"client{number}") for number in range(CLIENTS)]
    for number, person in enumerate(people):
        stand.send(person, people[number - 1], "Hello")
    return people
