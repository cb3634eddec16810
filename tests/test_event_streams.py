"""GET /events/stream from the server that `make run` starts: two workers, plain and over TLS."""

import json
import os
import shutil
import signal
import ssl
import time
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from operations.maintenance.tests.certificates import make_certificate
from tests.factories import PASSWORD
from tests.faults.clients import Answer, Caller, Person, Writer, people
from tests.faults.servers import Application, serving
from tests.sse import Crowd, Follower, crowd, wait_for
from tools.drill.stand import database

pytestmark = pytest.mark.waits

#: Seconds within which a stream ends with its session, and the oldest of too many.
SOON = 3 + 1
OLDEST_SOON = 5 + 1


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("streams")


@pytest.fixture(scope="module")
def application(folder: Path) -> Iterator[Application]:
    server = os.environ.get("TEST_DATABASE_URL")
    made = (
        database(server, f"streams{os.getpid()}") if server else nullcontext(f"sqlite:///{folder}/db.sqlite3")
    )
    with made as url, serving(Application(folder / "plain", url, workers=2)) as running:
        yield running


@pytest.fixture
def readers(application: Application) -> Iterator[Crowd]:
    with crowd(application.port) as made:
        yield made


@pytest.fixture(scope="module")
def everybody(application: Application) -> Iterator[Person]:
    """Who was in no test yet."""
    return iter(people(application, 100))


@pytest.fixture
def ann(everybody: Iterator[Person]) -> Person:
    return next(everybody)


@pytest.fixture
def ben(everybody: Iterator[Person]) -> Person:
    return next(everybody)


@pytest.fixture
def cara(everybody: Iterator[Person]) -> Person:
    return next(everybody)


def call(application: Application, person: Person, method: str, path: str, body: Any = None) -> Answer:
    """On a connection of its own, so that any worker may take it."""
    caller = Caller(application.port, person.access)
    try:
        return caller.call(method, path, body)
    finally:
        caller.close()


def say(application: Application, sender: Person, recipient: Person, content: str = "Noon?") -> int:
    answer = call(
        application, sender, "POST", "/messages", {"recipient_id": recipient.pk, "content": content}
    )
    assert answer.status == 201, answer.content
    return int(answer.json()["id"])


def messages_of(follower: Follower) -> list[int]:
    return [frame.data["data"]["message"]["id"] for frame in follower.events]


def log_in_again(application: Application, person: Person) -> Person:
    answer = Caller(application.port).call(
        "POST", "/auth/login", {"username": person.username, "password": PASSWORD}
    )
    tokens = answer.json()
    return replace(person, access=tokens["access_token"], refresh=tokens["refresh_token"])


def test_begins_with_retry_and_hello(application: Application, readers: Crowd, ann: Person) -> None:
    stream = readers.opened(ann.access)
    time.sleep(0.3)

    first, hello = stream.text.split("\n\n")[:2]
    assert first.startswith("retry: ")
    assert 500 <= int(first.removeprefix("retry: ")) <= 5000
    assert hello.startswith("event: hello\n")
    assert stream.greeting.data == {"cursor": stream.last_id}
    assert stream.answer["content-type"].startswith("text/event-stream")
    assert "no-store" in stream.answer["cache-control"]
    assert stream.answer["x-accel-buffering"] == "no"
    assert stream.answer["x-content-type-options"] == "nosniff"
    assert stream.answer["x-request-id"]
    assert "content-length" not in stream.answer


def test_a_quiet_stream_stays_open(readers: Crowd, ann: Person) -> None:
    """Longer than a connection may be silent, or a request take; a comment comes every 15 s."""
    stream = readers.opened(ann.access)
    wait_for(lambda: stream.comments > 0, "a comment", 15 + 3)
    time.sleep(1)
    assert (stream.comments, stream.is_open, stream.events) == (1, True, [])


def test_tells_both_at_once_and_nobody_else(
    application: Application, readers: Crowd, ann: Person, ben: Person, cara: Person
) -> None:
    streams = [readers.opened(person.access) for person in (ann, ben, cara)]
    pk = say(application, ann, ben)
    call(application, ben, "PUT", f"/messages/{pk}/read")
    # What is deleted before it was told is left out.
    wait_for(lambda: all(len(stream.events) == 2 for stream in streams[:2]), "a message")
    conversation = f"conv_{ann.pk}_{ben.pk}"
    assert call(application, ann, "POST", f"/auth/conversations/{conversation}/typing").status == 204
    call(application, ann, "DELETE", f"/messages/{pk}")

    kinds = ["message.created", "message.read", "message.deleted"]
    for stream, expected in zip(streams, [kinds, [*kinds[:2], "typing", kinds[2]], []], strict=True):
        wait_for(lambda s=stream, e=expected: len(s.events) >= len(e), "all events")  # type: ignore[misc]
        assert [frame.kind for frame in stream.events] == expected
        assert all(frame.data["type"] == frame.kind for frame in stream.events)
        assert not any(frame.id for frame in stream.events if frame.kind == "typing")


@pytest.mark.parametrize("way", ["header", "after", "header before after"])
def test_goes_on_where_it_was(
    application: Application, readers: Crowd, ann: Person, ben: Person, way: str
) -> None:
    now = call(application, ann, "GET", "/events").json()["cursor"]
    sent = [say(application, ben, ann) for _ in range(3)]
    later = call(application, ann, "GET", "/events").json()["cursor"]

    headers = {} if way == "after" else {"Last-Event-ID": now}
    query = {"header": "", "after": f"?after={now}", "header before after": f"?after={later}"}[way]
    stream = readers.opened(ann.access, query, headers=headers)
    sent.append(say(application, ben, ann))

    wait_for(lambda: len(stream.events) >= 4, "four events")
    time.sleep(0.3)
    assert messages_of(stream) == sent
    assert stream.greeting.kind == "hello"
    # Each `id:` is where to go on, and the log says the same.
    for number, frame in enumerate(stream.events):
        if frame.id:
            answer = call(application, ann, "GET", f"/events?after={frame.id}").json()
            assert [e["data"]["message"]["id"] for e in answer["events"]] == sent[number + 1 :]


def foreign(cursor: str) -> str:
    """The same in another database: the epoch's first character is another."""
    return cursor[:4] + ("A" if cursor[4] != "A" else "B") + cursor[5:]


@pytest.mark.parametrize("bad", ["nonsense", "expired", "x" * 2001, "7", "%00"])
def test_a_last_id_of_no_use_is_a_reset(
    application: Application, readers: Crowd, ann: Person, ben: Person, bad: str
) -> None:
    now = call(application, ann, "GET", "/events").json()["cursor"]
    say(application, ben, ann)
    stream = readers.opened(ann.access, headers={"Last-Event-ID": foreign(now) if bad == "expired" else bad})
    assert stream.greeting.kind == "reset"
    assert stream.greeting.data == {"cursor": stream.last_id}
    sent = say(application, ben, ann)
    wait_for(lambda: bool(stream.events), "an event")
    assert messages_of(stream) == [sent]


def test_a_cursor_in_the_address_that_is_expired_is_a_reset(
    application: Application, readers: Crowd, ann: Person
) -> None:
    now = call(application, ann, "GET", "/events").json()["cursor"]
    assert readers.opened(ann.access, f"?after={foreign(now)}").greeting.kind == "reset"


@pytest.mark.parametrize("bad", ["", "nonsense", "AQ", "x" * 2001])
def test_a_cursor_in_the_address_that_is_none_is_refused(readers: Crowd, ann: Person, bad: str) -> None:
    answer = readers.asked(ann.access, f"?after={bad}")
    assert answer.status == 400
    assert "after" in json.loads(answer.body)["errors"]


@pytest.mark.parametrize("accept", ["application/json", "text/html", "text/event-stream;q=0, */*", ";"])
def test_who_takes_no_stream_gets_none(readers: Crowd, ann: Person, accept: str) -> None:
    answer = readers.asked(ann.access, headers={"Accept": accept})
    assert (answer.status, answer.answer["content-type"]) == (406, "application/problem+json")


@pytest.mark.parametrize("accept", ["*/*", "text/*", "application/json, text/event-stream;q=0.1"])
def test_who_takes_a_stream_besides_gets_it(readers: Crowd, ann: Person, accept: str) -> None:
    assert readers.opened(ann.access, headers={"Accept": accept}).greeting.kind == "hello"


def test_needs_a_login(readers: Crowd, ann: Person) -> None:
    for token in (None, "e30.e30.e30", ann.refresh):
        answer = readers.asked(token)
        assert (answer.status, answer.answer["www-authenticate"]) == (401, "bearer")


def test_a_ticket_opens_one_stream_and_is_in_no_log(
    application: Application, readers: Crowd, ann: Person, ben: Person
) -> None:
    answer = call(application, ann, "POST", "/events/ticket")
    assert (answer.status, answer.json()["expires_in"]) == (201, 60)
    ticket = answer.json()["ticket"]

    stream = readers.opened(None, f"?ticket={ticket}")
    again = readers.asked(None, f"?ticket={ticket}")
    sent = say(application, ben, ann)

    assert again.status == 401
    wait_for(lambda: bool(stream.events), "an event")
    assert messages_of(stream) == [sent]
    logs = [application.output, *(application.folder / "logs").iterdir()]
    assert ticket not in "".join(path.read_text() for path in logs)
    assert "/events/stream" in application.log()


@pytest.mark.parametrize(
    "end", ["logout", "logout-all", "deleted", "password", "disabled", "expired", "user deleted"]
)
def test_ends_with_its_session(application: Application, readers: Crowd, ann: Person, end: str) -> None:
    other = log_in_again(application, ann)
    stream, staying = readers.opened(ann.access), readers.opened(other.access)
    rows = call(application, ann, "GET", "/auth/sessions").json()
    mine = next(row["id"] for row in rows if row["is_current"])
    change = {"current_password": PASSWORD, "new_password": "another-tractor-43"}
    scripts = {
        "disabled": f"User.objects.filter(pk={ann.pk}).update(is_active=False)",
        "expired": f"Session.objects.filter(pk={mine}).update(expires_at=timezone.now())",
        "user deleted": f"User.objects.get(pk={ann.pk}).delete()",
    }
    everywhere = end in ("logout-all", "disabled", "user deleted")

    if end in scripts:
        imports = "from accounts.models import Session, User\nfrom django.utils import timezone\n"
        application.run(imports + scripts[end])
    elif end == "password":
        assert call(application, other, "PUT", "/auth/me/password", change).status == 200
    elif end == "deleted":
        assert call(application, other, "DELETE", f"/auth/sessions/{mine}").status == 200
    else:
        assert call(application, ann, "POST", f"/auth/{end}").status == 200

    wait_for(lambda: stream.has_ended, "the end of the stream", SOON)
    if everywhere:
        wait_for(lambda: staying.has_ended, "the end of all streams", SOON)
    time.sleep(0.5)
    assert staying.has_ended is everywhere


def test_outlives_the_access_token_that_opened_it(
    application: Application, readers: Crowd, ann: Person, ben: Person
) -> None:
    """A refresh makes another, and the stream goes on; so it would once the first is expired."""
    stream = readers.opened(ann.access)
    answer = Caller(application.port).call("POST", "/auth/refresh", {"refresh_token": ann.refresh})
    assert answer.status == 200
    time.sleep(2.5)
    sent = say(application, ben, ann)
    wait_for(lambda: bool(stream.events), "an event")
    assert messages_of(stream) == [sent]


def test_a_session_has_five_and_the_oldest_ends(
    application: Application, readers: Crowd, ann: Person
) -> None:
    streams = [readers.opened(ann.access) for _ in range(5)]
    time.sleep(2.5)
    assert not any(stream.has_ended for stream in streams)
    streams.append(readers.opened(ann.access))
    wait_for(lambda: streams[0].has_ended, "the end of the oldest", OLDEST_SOON)
    time.sleep(2.5)
    assert [stream.has_ended for stream in streams] == [True] + [False] * 5


def test_a_user_has_twenty_over_all_sessions(application: Application, readers: Crowd, ann: Person) -> None:
    sessions = [ann, *(log_in_again(application, ann) for _ in range(4))]
    streams = [readers.opened(session.access) for session in sessions for _ in range(4)]
    streams.append(readers.opened(log_in_again(application, ann).access))
    wait_for(lambda: streams[0].has_ended, "the end of the oldest", OLDEST_SOON)
    time.sleep(2.5)
    assert [stream.has_ended for stream in streams] == [True] + [False] * 20


def test_who_does_not_read_is_cut_off_and_goes_on(
    application: Application, readers: Crowd, ann: Person, ben: Person
) -> None:
    before = cut_off(application)
    start = call(application, ann, "GET", "/events").json()["cursor"]
    slow = readers.open(ann.access, reads=False)
    wait_for(lambda: slow.status == 200, "a stream")
    time.sleep(0.5)
    # Six bytes a character, so that what kernels keep is soon full; and a few more, that come afterwards.
    sent = [say(application, ben, ann, "\x01" * 2_499 + "x") for _ in range(60)]
    wait_for(lambda: cut_off(application) > before, "a reader to be cut off", every=0.5)

    again = readers.opened(ann.access, f"?after={start}")
    wait_for(lambda: len(again.events) >= len(sent), "all that was missed")
    assert messages_of(again) == sent
    assert all(len(frame.data["data"]["message"]["content"]) == 2_500 for frame in again.events)


def cut_off(application: Application) -> float:
    page = Caller(application.port).call("GET", "/metrics").content.decode()
    found = [line for line in page.splitlines() if line.startswith("aimessage_streams_cut_total{")]
    return sum(float(line.rpartition(" ")[2]) for line in found)


def test_a_stop_says_when_to_come_back_and_nothing_is_lost_or_doubled(
    application: Application, readers: Crowd, ann: Person, ben: Person
) -> None:
    """New workers by SIGHUP, then a new server by SIGTERM, while two people write to each other."""
    followers = [readers.opened(person.access, resumes=True) for person in (ann, ben, ann)]
    done = Event()
    pair = (ann, ben)
    writers = [Writer(application.port, *both, done, rest=0.03) for both in (pair, pair[::-1])]
    for writer in writers:
        writer.start()
    time.sleep(0.5)
    for _ in range(2):
        before = set(application.worker_pids())
        application.process.send_signal(signal.SIGHUP)
        wait_for(lambda b=before: not b & set(application.worker_pids()), "new workers")  # type: ignore[misc]
        time.sleep(1)
    began = time.monotonic()
    application.stop()
    took = time.monotonic() - began
    application.start()
    time.sleep(1)
    # On a busy machine that takes a while longer.
    wait_for(lambda: sum(len(writer.acknowledged) for writer in writers) > 20, "messages enough")
    done.set()
    for writer in writers:
        writer.join(60)

    sent = sorted(note.pk for writer in writers for note in writer.acknowledged.values())
    for follower in followers:
        wait_for(lambda f=follower: len(f.events) >= len(sent), "all events")  # type: ignore[misc]
        assert sorted(messages_of(follower)) == sent
        assert len(set(follower.ids())) == len(follower.ids())
        assert follower.opened >= 2
    assert took < 6


def test_the_last_thing_said_is_when_to_come_back(
    application: Application, everybody: Iterator[Person]
) -> None:
    with crowd(application.port) as readers:
        streams = [readers.opened(next(everybody).access) for _ in range(10)]
        application.process.send_signal(signal.SIGHUP)
        wait_for(lambda: all(stream.has_ended for stream in streams), "the end of the streams")
        said = {stream.text.rstrip("\n").rsplit("\n", 1)[-1] for stream in streams}
    assert all(500 <= int(line.removeprefix("retry: ")) <= 5000 for line in said)
    assert len(said) > 3, "drawn anew for each"


def test_over_tls_and_no_more_than_a_process_may_hold(
    application: Application, folder: Path, ann: Person, ben: Person
) -> None:
    """Also: nobody is told of a stream that is not there, and its place is free again when one closes."""
    (folder / "tls").mkdir()
    cert, key = make_certificate(folder / "tls")
    settings = {"AI_MESSAGE_STREAMS": "3", "AI_MESSAGE_SSL_CERT": str(cert), "AI_MESSAGE_SSL_KEY": str(key)}
    settings["SECRET_KEY"] = application.environment["SECRET_KEY"]
    small = Application(folder / "small", application.database, workers=1, settings=settings)
    context = ssl.create_default_context(cafile=str(cert))
    with serving(small), crowd(small.port, tls=context) as readers:
        streams = [readers.opened(ann.access, resumes=True) for _ in range(3)]
        refused = readers.asked(ben.access)
        assert (refused.status, refused.answer["content-type"]) == (503, "application/problem+json")
        assert int(refused.answer["retry-after"]) > 0

        sent = [say(application, ben, ann, "x" * 20_000) for _ in range(30)]
        for stream in streams:
            wait_for(lambda s=stream: len(s.events) >= 30, "all events")  # type: ignore[misc]
            assert messages_of(stream) == sent

        readers.close(streams.pop())
        time.sleep(0.5)
        assert readers.opened(ben.access).greeting.kind == "hello"

        small.process.send_signal(signal.SIGHUP)
        wait_for(lambda: all(stream.opened == 2 for stream in streams), "the streams to come back")
        sent.append(say(application, ben, ann))
        for stream in streams:
            wait_for(lambda s=stream: len(s.events) >= 31, "the last event")  # type: ignore[misc]
            assert messages_of(stream) == sent
    shutil.rmtree(folder / "tls")


def test_leaves_nothing_behind(application: Application, ann: Person) -> None:
    with crowd(application.port) as readers:
        for _ in range(3):
            readers.opened(ann.access)
        # Those of workers that are gone are forgotten meanwhile.
        wait_for(lambda: open_streams(application) == 3, "the rows of these streams alone")
    wait_for(lambda: open_streams(application) == 0, "the rows of streams to be gone")
    ended = f"stream ended: user={ann.pk} after="
    wait_for(lambda: application.log().count(ended) == 3, "the ends of these streams in the log")


def open_streams(application: Application) -> int:
    ((count,),) = application.ask("SELECT count(*) FROM events_openstream")
    return int(count)
