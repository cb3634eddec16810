"""Redis is optional at any time: without it everything still happens, only later."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from urllib.parse import urlsplit

from redis import Redis, RedisError

#: Seconds to connect, and to wait after a failure before the next attempt.
CONNECT, PAUSE = 0.5, 2.0

logger = logging.getLogger("aimessage")


class RedisGone(Exception):
    pass


class Link:
    """After a failure it raises RedisGone at once for PAUSE seconds, so that nobody waits for a dead server.

    May be used from any thread.
    """

    def __init__(self, url: str, timeout: float) -> None:
        self.client = Redis.from_url(
            url, socket_connect_timeout=CONNECT, socket_timeout=timeout, health_check_interval=10
        )
        self.down_until = 0.0
        self.is_failing = False

    @property
    def is_up(self) -> bool:
        return time.monotonic() >= self.down_until

    @contextmanager
    def using(self) -> Iterator[Redis]:
        if not self.is_up:
            raise RedisGone
        try:
            yield self.client
        except (RedisError, OSError) as error:
            self.down_until = time.monotonic() + PAUSE
            if not self.is_failing:  # one line, however long it is gone
                logger.warning("Redis is gone, and is tried every %.0f s: %s", PAUSE, type(error).__name__)
            self.is_failing = True
            raise RedisGone from error
        if self.is_failing:
            logger.warning("Redis answers again")
        self.is_failing = False


@cache
def link_to(url: str, *, timeout: float = 1.0) -> Link:
    """`timeout` is in seconds, for each answer."""
    return Link(url, timeout)


def parse_redis_url(raw: str) -> str:
    """Checks a URL; "" means no Redis. The text of its ValueError follows a variable's name in a sentence."""
    if not raw:
        return ""
    try:
        parts = urlsplit(raw)
        port = parts.port
    except ValueError:
        raise ValueError("has a port that is none") from None
    number = parts.path.removeprefix("/")
    known = parts.scheme in {"redis", "rediss"} and parts.hostname and port != 0
    if not known or (number and not number.isdecimal()) or parts.query or parts.fragment:
        raise ValueError("must be written as redis://host:6379/0, or rediss:// for one that encrypts")
    return raw
