"""Two servers over one database: a Redis wakes their streams, and they go on without it."""

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, nullcontext
from pathlib import Path

import pytest

from tests.faults.clients import Caller, Person, people
from tests.faults.servers import Application, serving
from tests.private_redis import PrivateRedis, private_redis
from tests.sse import Follower, crowd, wait_for
from tools.drill.stand import database

pytestmark = pytest.mark.waits


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[PrivateRedis]:
    with private_redis(tmp_path) as redis:
        yield redis


@pytest.fixture
def servers(tmp_path: Path, redis: PrivateRedis) -> Iterator[list[Application]]:
    url = os.environ.get("TEST_DATABASE_URL")
    made = database(url, f"woken{os.getpid()}") if url else nullcontext(f"sqlite:///{tmp_path}/db.sqlite3")
    settings = {
        "AI_MESSAGE_WAKE_URL": redis.url,
        "SECRET_KEY": "a-long-text-that-stands-for-a-random-key-01234",
    }
    with made as place, ExitStack() as running:
        applications = [Application(tmp_path / name, place, workers=1, settings=settings) for name in "ab"]
        yield [running.enter_context(serving(application)) for application in applications]


def post(server: Application, person: Person, path: str, body: object = None) -> int:
    caller = Caller(server.port, person.access)
    try:
        return caller.call("POST", path, body).status
    finally:
        caller.close()


def kinds(stream: Follower) -> list[str]:
    return [frame.kind for frame in stream.events]


def test_messages_and_typing_cross_from_one_server_to_another(
    servers: list[Application], redis: PrivateRedis
) -> None:
    here, there = servers
    alice, bob = people(here, 2)
    conversation = f"conv_{min(alice.pk, bob.pk)}_{max(alice.pk, bob.pk)}"
    with crowd(there.port) as readers:
        stream = readers.opened(bob.access)
        time.sleep(2)  # until it listens to Redis

        for number in range(3):
            assert post(here, alice, "/messages", {"recipient_id": bob.pk, "content": f"{number}"}) == 201
            wait_for(lambda n=number: len(stream.events) == n + 1, "a message", 5)  # type: ignore[misc]
        assert post(here, alice, f"/auth/conversations/{conversation}/typing") == 204
        wait_for(lambda: kinds(stream)[-1] == "typing", "that she types", 5)
        assert stream.events[-1].id == ""
        assert stream.events[-1].data["data"]["user_id"] == alice.pk

        redis.kill()
        for number in range(3):
            assert post(here, alice, "/messages", {"recipient_id": bob.pk, "content": f"{number}"}) == 201
        wait_for(lambda: kinds(stream).count("message.created") == 6, "messages without Redis", 10)
        assert post(here, alice, f"/auth/conversations/{conversation}/typing") == 204
        wait_for(lambda: kinds(stream)[-1] == "typing", "that she types, without Redis", 10)
