"""Walking along `Link: next` while others write and delete."""

import os
import random
import threading
from typing import Any

import pytest

from tests.faults.clients import Caller, Person, people
from tests.faults.servers import Application
from tests.histories.test_histories import parse_links

pytestmark = pytest.mark.faults

WRITERS = 16
WALKS = int(os.environ.get("FAULT_WALKS", "20"))
STANDING = 2000


class Busy(threading.Thread):
    """Sends to `reader` without pause, and deletes every second of what it sent, old ones too."""

    def __init__(self, port: int, sender: Person, reader: Person, standing: int) -> None:
        super().__init__(daemon=True)
        self.caller, self.reader = Caller(port, sender.access), reader
        self.sent = [self.send() for _ in range(standing)]
        #: In the order in which they were asked to be deleted.
        self.deleted: set[int] = set()
        self.done = threading.Event()

    def send(self) -> int:
        answer = self.caller.insist("POST", "/messages", {"recipient_id": self.reader.pk, "content": "Noon?"})
        assert answer.status == 201, answer.content
        pk: int = answer.json()["id"]
        return pk

    def run(self) -> None:
        while not self.done.is_set():
            self.sent.append(self.send())
            if random.random() < 0.5:
                victim = self.sent.pop(random.randrange(len(self.sent)))
                self.deleted.add(victim)
                assert self.caller.insist("DELETE", f"/messages/{victim}").status == 200


def test_nothing_is_skipped_and_nothing_comes_twice(
    application: Application, figure: Any, progress: Any
) -> None:
    reader, *senders = people(application, WRITERS + 1)
    writers: list[Busy] = []
    for sender in senders:
        writers.append(Busy(application.port, sender, reader, STANDING // WRITERS))
        progress(f"{len(writers)} of {WRITERS} writers")
    caller = Caller(application.port, reader.access)
    for writer in writers:
        writer.start()

    skipped = twice = visited = 0
    for done in range(WALKS):
        before = {pk for writer in writers for pk in list(writer.sent)}
        seen = walk(caller, f"/messages/received?limit={random.choice([7, 50, 100])}")
        deleted = {pk for writer in writers for pk in set(writer.deleted)}
        skipped += len(before - deleted - set(seen))
        twice += len(seen) - len(set(seen))
        visited += len(seen)
        progress(f"walk {done + 1} of {WALKS}")
    for writer in writers:
        writer.done.set()
    for writer in writers:
        writer.join(timeout=60)

    written = sum(len(writer.sent) + len(writer.deleted) for writer in writers) - STANDING
    figure(walks=WALKS, visited=visited, sent_meanwhile=written, skipped=skipped, twice=twice)
    assert (skipped, twice) == (0, 0)
    assert written > 0


def walk(caller: Caller, path: str) -> list[int]:
    seen: list[int] = []
    following: str | None = path
    while following is not None:
        answer = caller.call("GET", following)
        assert answer.status == 200, answer.content
        seen += [row["id"] for row in answer.json()]
        following = parse_links(answer.headers.get("Link", "")).get("next")
    return seen
