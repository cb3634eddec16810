"""Checks that 500 event streams behind nginx lose and double nothing when instances are restarted."""

import json
import ssl
import subprocess
import time
from contextlib import ExitStack, suppress

import psycopg

from tests.sse import Crowd, Follower, crowd, wait_for
from tools.drill.claims import claim, section
from tools.drill.load import Load
from tools.drill.stand import Person, Stand
from tools.drill.unit import Instance, manage

#: Four of the five streams that a session may have: one that has just ended may still be counted.
READERS, STREAMS_OF_EACH = 125, 4
STREAMS = READERS * STREAMS_OF_EACH
#: Seconds within which a message must arrive, and within which all streams must be back.
MESSAGE_TIMEOUT, STREAMS_TIMEOUT = 2.0, 60.0
#: Without passwords: hashing them would take most of the time.
SIGN_IN = f"""
from accounts.models import User
from accounts.services.sessions import open_session
for number in range({READERS}):
    user = User.objects.create_user(f"reader{{number}}", f"reader{{number}}@example.org", None)
    _, tokens = open_session(user)
    print("READER", user.pk, user.username, tokens.access_token, tokens.refresh_token)
"""


def show_streams(stand: Stand, people: list[Person]) -> None:
    section(f"{STREAMS} event streams are open while instances are restarted")
    printed = manage(
        stand.instances[0].code, stand.environment, "shell", "--no-imports", "--command", SIGN_IN
    )
    rows = [line.split() for line in printed.splitlines() if line.startswith("READER ")]
    readers = [Person(int(number), *rest) for _, number, *rest in rows]
    trusted = ssl.create_default_context(cafile=str(stand.nginx.certificate))
    with ExitStack() as stack:
        streams = stack.enter_context(crowd(stand.nginx.https, tls=trusted))
        _show_clients(stand, streams, people)
        followers = {
            reader: [streams.open(reader.token, resumes=True) for _ in range(STREAMS_OF_EACH)]
            for reader in readers
        }
        everyone = [one for group in followers.values() for one in group]
        wait_for(lambda: all(one.frames for one in everyone), "all greetings", STREAMS_TIMEOUT)
        with Load(stand, people, persistent=True, readers=readers).running() as load:
            load.for_seconds(1)
            _restart("a rolling restart", stand.instances, everyone)

            own = Instance(stand.instances[0].code, stand.environment, stand.folder)
            stack.callback(own.close)
            own.start()
            stand.nginx.give_streams([own, own])
            _restart("another, which leads them to an instance of their own,", stand.instances, everyone)
            opened = [one.opened for one in everyone]
            stand.instances[0].restart()
            load.for_seconds(1)
            claim(
                "there, a restart of one that answers requests ends none",
                [one.opened for one in everyone] == opened and not any(one.has_ended for one in everyone),
            )
            _restart("a restart of their own", [own], everyone)
            load.for_seconds(1)
        claim("all requests were answered meanwhile", not load.failures, f"{load.answered} answered")
        load.show_nothing_lost()
        _show_each_once(stand, followers)
        stand.nginx.give_streams(stand.instances)


def _restart(name: str, instances: list[Instance], streams: list[Follower]) -> None:
    before = {one: one.opened for one in streams}
    for instance in instances:
        instance.restart()
    with suppress(TimeoutError):
        wait_for(
            lambda: all(one.opened > before[one] for one in streams), "all to come back", STREAMS_TIMEOUT
        )
    back = sum(one.opened > before[one] for one in streams)
    claim(f"{name} ends each of them, and each comes back", back == STREAMS, f"{back} streams")


def _show_each_once(stand: Stand, followers: dict[Person, list[Follower]]) -> None:
    # One person writes to each reader, so events are in the order of the conversation.
    with psycopg.connect(stand.database_url) as connection:
        rows = connection.execute(
            "SELECT user_id, array_agg(id ORDER BY id) FROM events_event GROUP BY 1"
        ).fetchall()
    log: dict[int, list[int]] = dict(rows)
    meant = {one: log.get(reader.id, []) for reader, group in followers.items() for one in group}
    deadline = time.monotonic() + STREAMS_TIMEOUT
    while any(len(one.ids()) < len(ids) for one, ids in meant.items()) and time.monotonic() < deadline:
        time.sleep(0.1)
    time.sleep(1)  # for events that come twice
    lost = sum(len(set(ids) - set(one.ids())) for one, ids in meant.items())
    doubled = sum(len(one.ids()) - len(set(one.ids())) for one in meant)
    claim(
        "every stream saw each event meant for its user once, in order",
        all(one.ids() == ids for one, ids in meant.items()) and all(log.get(one.id) for one in followers),
        f"{sum(map(len, meant.values()))} events on {len(meant)} streams, {lost} lost, {doubled} doubled",
    )


def _show_clients(stand: Stand, streams: Crowd, people: list[Person]) -> None:
    alice, bob = people[:2]

    def write() -> float:
        sent = time.monotonic()
        stand.send(alice, bob, "Noon?")
        return sent

    command = ["curl", "-sN", "--http2", "--max-time", "20", "--cacert", str(stand.nginx.certificate)]
    command += ["-H", f"Authorization: Bearer {bob.token}", f"{stand.url}/api/events/stream"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as curl:
        lines = iter(curl.stdout or ())
        next((line for line in lines if line == "event: hello\n"), "")
        sent = write()
        data = next((line for line in lines if line.startswith("data: ") and "Noon?" in line), "")
        took = time.monotonic() - sent
        curl.kill()
    event = json.loads(data.removeprefix("data: ") or "{}")
    claim(
        "curl -N sees a message at once",
        event.get("type") == "message.created" and took < MESSAGE_TIMEOUT,
        f"{took:.2f} s",
    )

    ticket = stand.call("POST", "/events/ticket", token=bob.token).json()["ticket"]
    source = streams.opened(query=f"?ticket={ticket}")
    sent = write()
    wait_for(lambda: bool(source.events), "a message", 20)
    took = source.events[0].at - sent
    claim("so does an EventSource with a ticket", took < MESSAGE_TIMEOUT, f"{took:.2f} s")
    logs = [*stand.folder.glob("*.log"), *stand.folder.glob("logs/*")]
    claim("whose ticket is in no log", not any(ticket in path.read_text(errors="replace") for path in logs))
    streams.close(source)
