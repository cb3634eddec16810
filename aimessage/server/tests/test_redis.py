import time
from pathlib import Path

import pytest

from aimessage.server.redis import Link, RedisGone, parse_redis_url
from tests.private_redis import private_redis


@pytest.mark.parametrize(
    "url", ["", "redis://localhost", "redis://:secret@10.0.0.5:6379/3", "rediss://u:p@redis.example.org/0"]
)
def test_an_address_of_a_server(url: str) -> None:
    assert parse_redis_url(url) == url


@pytest.mark.parametrize(
    "url",
    [
        *("localhost:6379", "http://localhost", "redis://", "redis://h:x", "redis://h:99999", "redis://h:0"),
        *("redis://h/one", "redis://h/0?db=1", "redis://h/0#x", "redis:///run/redis.sock"),
    ],
)
def test_anything_else_is_refused_without_naming_it(url: str) -> None:
    with pytest.raises(ValueError, match=r"^(must be written as redis://|has a port)"):
        parse_redis_url(url)


def test_a_server_that_is_gone_is_left_alone_for_a_while() -> None:
    link = Link("redis://127.0.0.1:1/0", 1.0)
    with pytest.raises(RedisGone), link.using() as redis:
        redis.ping()
    assert not link.is_up

    began = time.monotonic()
    for _ in range(100):
        with pytest.raises(RedisGone), link.using() as redis:
            redis.ping()
    assert time.monotonic() - began < 0.5

    link.down_until = 0.0
    assert link.is_up


def test_the_log_has_a_line_when_it_goes_and_one_when_it_is_back(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def ping() -> None:
        link.down_until = 0.0
        with link.using() as redis:
            redis.ping()

    with private_redis(tmp_path) as server:
        link = Link(server.url, 1.0)
        ping()
        server.kill()
        for _ in range(3):
            with pytest.raises(RedisGone):
                ping()
        server.start()
        ping()
        ping()

    assert [message.split(",")[0] for message in caplog.messages] == ["Redis is gone", "Redis answers again"]
