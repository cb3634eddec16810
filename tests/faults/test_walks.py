"""Walking along `Link: next` while others write and delete."""

import random
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.faults.clients import Caller, Person, people
from tests.faults.scale import QUICK, REST, WALKS
from tests.faults.servers import Application, PostgreSQL, serving
from tests.histories.model import default_name
from tests.histories.test_histories import parse_links

pytestmark = pytest.mark.faults

WRITERS = 6 if QUICK else 16
STANDING = 320 if QUICK else 2000


class Busy(threading.Thread):
    """Keeps sending to `reader`, and deletes some of what it sent, old ones too."""

    def __init__(self, port: int, sender: Person, reader: Person) -> None:
        super().__init__(daemon=True)
        self.caller, self.sender, self.reader = Caller(port, sender.access), sender, reader
        self.sent: list[int] = []
        #: Messages that a DELETE was sent for.
        self.deleted: set[int] = set()
        self.done = threading.Event()
        self.error: Exception | None = None

    def send(self) -> None:
        answer = self.caller.insist("POST", "/messages", {"recipient_id": self.reader.pk, "content": "Noon?"})
        assert answer.status == 201, answer.content
        self.sent.append(answer.json()["id"])

    def run(self) -> None:
        try:
            while not self.done.is_set():
                self.send()
                time.sleep(REST)
                # Lists that grow all the while would be walked along for ever.
                while random.random() < (0.4 if len(self.sent) <= STANDING // WRITERS else 0.6):
                    # In this order, so that a reader always finds it in one of them.
                    victim = random.choice(self.sent)
                    self.deleted.add(victim)
                    self.sent.remove(victim)
                    assert self.caller.insist("DELETE", f"/messages/{victim}").status == 200
        except Exception as error:
            self.error = error


@pytest.fixture(params=["postgresql", "sqlite"])
def walked(request: pytest.FixtureRequest, postgres: PostgreSQL, tmp_path: Path) -> Iterator[Application]:
    url = postgres.url() if request.param == "postgresql" else f"sqlite:///{tmp_path}/walked.sqlite3"
    with serving(Application(tmp_path / "application", url)) as running:
        yield running


def test_nothing_is_skipped_and_nothing_comes_twice(walked: Application, figure: Any, progress: Any) -> None:
    reader, *senders = people(walked, WRITERS + 1)
    writers = [Busy(walked.port, sender, reader) for sender in senders]
    for number in range(STANDING):
        writers[number % WRITERS].send()
        progress(f"{number} of {STANDING} messages to begin with")
    talk = default_name(reader.pk, senders[0].pk)
    #: Each list, and whose messages it shows to the reader.
    lists = {
        "/messages": writers,
        "/messages/received": writers,
        f"/auth/conversations/{talk}/messages": writers[:1],
        "/messages?unread_only=true": writers,
        "/messages?search=noon": writers,
    }
    caller = Caller(walked.port, reader.access)
    for writer in writers:
        writer.start()

    skipped = twice = visited = 0
    for done in range(WALKS):
        for path, shown in lists.items():
            before = {pk for writer in shown for pk in list(writer.sent)}
            # So small that the list grows by pages while it is walked along.
            limit = random.choice([7, 20, 50])
            seen = walk(caller, f"{path}{'&' if '?' in path else '?'}limit={limit}")
            deleted = {pk for writer in shown for pk in list(writer.deleted)}
            skipped += len(before - deleted - set(seen))
            twice += len(seen) - len(set(seen))
            visited += len(seen)
        progress(f"walk {done + 1} of {WALKS} along {len(lists)} lists, {visited:,} messages")
    for writer in writers:
        writer.done.set()
    for writer in writers:
        writer.join(timeout=60)

    deleted = sum(len(writer.deleted) for writer in writers)
    sent = sum(len(writer.sent) for writer in writers) + deleted - STANDING
    walks = WALKS * len(lists)
    figure(walks=walks, visited=visited, sent_meanwhile=sent, deleted=deleted, skipped=skipped, twice=twice)
    assert [writer.error for writer in writers if writer.error] == []
    assert (skipped, twice) == (0, 0)
    assert min(sent, deleted) > 0


def walk(caller: Caller, path: str) -> list[int]:
    seen: list[int] = []
    following: str | None = path
    while following is not None:
        answer = caller.call("GET", following)
        assert answer.status == 200, answer.content
        seen += [row["id"] for row in answer.json()]
        following = parse_links(answer.headers.get("Link", "")).get("next")
    return seen
