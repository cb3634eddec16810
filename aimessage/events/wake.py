"""Wakes the streams of all machines through Redis, so that they need not read the log ten times a second.

A published message is only a hint. The log is still read once a second, and ten times a second while Redis is
gone. Transient events, such as that somebody is typing, are not in the log and travel in the message itself.
"""

import json
import logging
import threading
import time
from collections import deque
from collections.abc import Collection, Mapping
from contextlib import suppress
from typing import Any, NamedTuple

from django.conf import settings
from django.utils import timezone
from django.utils.crypto import salted_hmac

from aimessage.api.renderers import write_time
from aimessage.events.kinds import ShownEvent
from aimessage.server.redis import RedisGone, link_to

#: Seconds to wait for a message at a time, and before connecting again.
LISTEN = 1.0
#: Transient events that wait for the streams of a process; beyond it the oldest are dropped.
MAX_TRANSIENT = 1000
logger = logging.getLogger("aimessage")


class Transient(NamedTuple):
    users: list[int]
    event: ShownEvent


def channel() -> str:
    # Named after the installation: all databases of a Redis server share their channels.
    return f"aimessage.{salted_hmac('aimessage.wake', '', algorithm='sha256').hexdigest()[:16]}"


def publish(message: bytes = b"") -> bool:
    """Wakes every process that has streams. Returns whether Redis took the message."""
    with suppress(RedisGone), link_to(settings.WAKE_URL).using() as redis:
        redis.publish(channel(), message)
        return True
    return False


def write_transient(kind: str, users: Collection[int], data: object) -> bytes:
    event = {"id": str(time.time_ns()), "type": kind, "created_at": write_time(timezone.now()), "data": data}
    return json.dumps([sorted(users), event]).encode()


class Waker:
    """Sets `woken` when something is published, as long as it `is_connected`."""

    def __init__(self) -> None:
        self.thread: threading.Thread | None = None
        self.woken = threading.Event()
        self.transient: deque[Transient] = deque(maxlen=MAX_TRANSIENT)
        self.is_connected = False

    def start(self) -> None:
        if self.thread is None:
            self.thread = threading.Thread(target=self._listen, name="waker", daemon=True)
            self.thread.start()

    def wait(self, seconds: float) -> None:
        self.woken.wait(seconds)
        self.woken.clear()

    def _listen(self) -> None:
        link = link_to(settings.WAKE_URL, timeout=2 * LISTEN)
        while True:
            try:
                with link.using() as redis, redis.pubsub() as channels:  # type: ignore[no-untyped-call]
                    channels.subscribe(channel())
                    while True:
                        self._receive(channels.get_message(timeout=LISTEN))
            except RedisGone:
                pass
            except Exception:
                # Another release may publish what this one cannot read. The thread must not end.
                logger.exception("streams: what was published cannot be read")
            self.is_connected = False
            time.sleep(LISTEN)

    def _receive(self, message: Mapping[str, Any] | None) -> None:
        if message is None:
            return
        self.is_connected = True
        if message["type"] == "message" and message["data"]:
            users, event = json.loads(message["data"])
            self.transient.append(Transient(users, event))
        self.woken.set()
