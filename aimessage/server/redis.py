"""Redis, which may be gone at any time: whatever goes through it can be done without it, only later."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from urllib.parse import urlsplit

from redis import Redis, RedisError

#: Seconds to connect, and after a failure until the next try: nobody waits for a server that is gone.
CONNECT, PAUSE = 0.5, 2.0

logger = logging.getLogger("aimessage")


class RedisGone(Exception):
    pass


class Link:
    """A server that is known to be gone is left alone for a while. May be used from any thread."""

    def __init__(self, url: str, timeout: float) -> None:
        self.client = Redis.from_url(
            url, socket_connect_timeout=CONNECT, socket_timeout=timeout, health_check_interval=10
        )
        self.down_until = 0.0

    @property
    def is_up(self) -> bool:
        return time.monotonic() >= self.down_until

    @contextmanager
    def using(self) -> Iterator[Redis]:
        """Raises RedisGone."""
        if not self.is_up:
            raise RedisGone
        try:
            yield self.client
        except (RedisError, OSError) as error:
            self.down_until = time.monotonic() + PAUSE
            logger.warning("Redis is gone, and is tried again in %.0f s: %s", PAUSE, type(error).__name__)
            raise RedisGone from error


@cache
def link_to(url: str, *, timeout: float = 1.0) -> Link:
    """`timeout`: seconds that an answer may take."""
    return Link(url, timeout)


def parse_redis_url(raw: str) -> str:
    """A server's address, "" for none; raises ValueError with what follows the variable's name."""
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
