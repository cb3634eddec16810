"""Waking the streams of all machines through Redis, in place of looks at the log ten times a second.

What is published is a hint: the log stays the truth, and is looked at once a second whatever Redis does, and
as often as ever while it is gone. Events that nobody keeps, such as typing, travel in the message itself.
"""

import json
import logging
import threading
import time
from collections import deque
from collections.abc import Collection
from contextlib import suppress
from typing import Any, NamedTuple

from django.conf import settings
from django.utils import timezone
from django.utils.crypto import salted_hmac

from aimessage.api.renderers import write_time
from aimessage.server.redis import RedisGone, link_to

#: Seconds between two signs of life while nothing is published.
LISTEN = 1.0
#: News that wait for the streams of a process; older ones are no news any more.
MAX_NEWS = 1000
logger = logging.getLogger("aimessage")


class News(NamedTuple):
    """An event that is shown to these users and not kept."""

    users: list[int]
    event: dict[str, Any]


def channel() -> str:
    """One for each installation: a Redis's database numbers do not part channels."""
    return f"aimessage.{salted_hmac('aimessage.wake', '', algorithm='sha256').hexdigest()[:16]}"


def publish(message: bytes = b"") -> bool:
    """Wakes every process that has streams; whether Redis took it."""
    with suppress(RedisGone), link_to(settings.WAKE_URL).using() as redis:
        redis.publish(channel(), message)
        return True
    return False


def write_news(kind: str, users: Collection[int], data: Any) -> bytes:
    event = {"id": str(time.time_ns()), "type": kind, "created_at": write_time(timezone.now()), "data": data}
    return json.dumps([sorted(users), event]).encode()


class Bell:
    """Rings when something is published. `is_heard`: whether it would."""

    def __init__(self) -> None:
        self.thread: threading.Thread | None = None
        self.rung = threading.Event()
        self.news: deque[News] = deque(maxlen=MAX_NEWS)
        self.is_heard = False

    def start(self) -> None:
        """Listens from now on, as long as the process lives."""
        if self.thread is None:
            self.thread = threading.Thread(target=self._listen, name="bell", daemon=True)
            self.thread.start()

    def wait(self, seconds: float) -> None:
        self.rung.wait(seconds)
        self.rung.clear()

    def _listen(self) -> None:
        link = link_to(settings.WAKE_URL, timeout=2 * LISTEN)
        while True:
            try:
                with link.using() as redis, redis.pubsub() as heard:  # type: ignore[no-untyped-call]
                    heard.subscribe(channel())
                    while True:
                        self._hear(heard.get_message(timeout=LISTEN))
            except RedisGone:
                pass
            except Exception:
                # Another release may publish what this one cannot read; the thread must not end by it.
                logger.exception("streams: what was published cannot be read")
            self.is_heard = False
            time.sleep(LISTEN)

    def _hear(self, message: Any) -> None:
        if message is None:
            return
        self.is_heard = True
        if message["type"] == "message" and message["data"]:
            users, event = json.loads(message["data"])
            self.news.append(News(users, event))
        self.rung.set()
