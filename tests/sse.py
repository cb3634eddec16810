"""Readers of event streams: many of them in one thread, each going on where it was when its stream ends."""

import asyncio
import json
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from threading import Thread
from typing import Any

#: Seconds within which a connection must be there, and its answer begin.
PATIENCE = 30
#: What a stream says of itself.
GREETINGS = ("hello", "reset")


@dataclass
class Frame:
    """One event as it came; `id` only where it had one."""

    kind: str
    data: Any
    id: str
    at: float


@dataclass(eq=False)
class Follower:
    """One reader. As a browser does, it goes on after the last `id:` that it saw."""

    token: str | None = None
    query: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    resumes: bool = False
    #: Whether it reads what comes.
    reads: bool = True
    status: int = 0
    answer: dict[str, str] = field(default_factory=dict)
    frames: list[Frame] = field(default_factory=list)
    #: Everything of the last stream, for those who look at its lines.
    text: str = ""
    body: bytes = b""
    comments: int = 0
    opened: int = 0
    last_id: str = ""
    retry: float = 1.0
    has_ended: bool = False
    ended_at: float = 0.0

    @property
    def events(self) -> list[Frame]:
        return [frame for frame in self.frames if frame.kind not in GREETINGS]

    @property
    def greeting(self) -> Frame:
        return next(frame for frame in self.frames if frame.kind in GREETINGS)

    @property
    def is_open(self) -> bool:
        return bool(self.frames) and not self.has_ended

    def ids(self) -> list[int]:
        """The ids of the events, in the order of their arrival."""
        return [int(frame.data["id"]) for frame in self.events if frame.kind != "typing"]

    def begin(self) -> None:
        # What came after the last `id:` belongs to a batch that comes again, whole.
        while self.frames and not self.frames[-1].id:
            self.frames.pop()
        self.text = ""
        self.has_ended = False

    def take(self, block: str) -> None:
        fields: dict[str, str] = {}
        for line in block.split("\n"):
            name, _, value = line.partition(":")
            if not name:
                self.comments += 1
            fields[name] = value.removeprefix(" ")
        if "retry" in fields:
            self.retry = int(fields["retry"]) / 1000
        if "data" in fields:
            frame = Frame(fields["event"], json.loads(fields["data"]), fields.get("id", ""), time.monotonic())
            self.frames.append(frame)
            self.last_id = frame.id or self.last_id


class Crowd:
    """Followers of one server, in a thread of their own."""

    def __init__(self, port: int, *, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> None:
        self.port, self.tls, self.host = port, tls, host
        self.followers: list[Follower] = []
        self.loop = asyncio.new_event_loop()
        self.tasks: dict[Follower, asyncio.Task[None]] = {}
        self.thread = Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()

    def open(self, token: str | None = None, query: str = "", **more: Any) -> Follower:
        """Returns at once; `wait_for` says when it is there."""
        follower = Follower(token, query, **more)
        self.followers.append(follower)
        asyncio.run_coroutine_threadsafe(self._start(follower), self.loop).result(PATIENCE)
        return follower

    def opened(self, token: str | None = None, query: str = "", **more: Any) -> Follower:
        """A stream that has sent its greeting."""
        follower = self.open(token, query, **more)
        wait_for(lambda: bool(follower.frames), f"a greeting, {follower.status} {follower.body[:300]!r}")
        return follower

    def asked(self, token: str | None = None, query: str = "", **more: Any) -> Follower:
        """What was answered, where that is no stream."""
        follower = self.open(token, query, **more)
        wait_for(lambda: follower.has_ended, "an answer that ends")
        return follower

    def close(self, follower: Follower) -> None:
        self.loop.call_soon_threadsafe(self.tasks[follower].cancel)
        wait_for(lambda: self.tasks[follower].done(), "a reader to be gone")

    def close_all(self) -> None:
        wait_for(self._are_gone, "the readers to be gone")
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(PATIENCE)
        self.loop.close()

    def _are_gone(self) -> bool:
        # Again and again: where a connection is just there, asyncio.wait_for swallows that it is cancelled.
        left = [task for task in self.tasks.values() if not task.done()]
        for task in left:
            self.loop.call_soon_threadsafe(task.cancel)
        return not left

    async def _start(self, follower: Follower) -> None:
        self.tasks[follower] = asyncio.create_task(self._follow(follower))

    async def _follow(self, follower: Follower) -> None:
        while True:
            with suppress(OSError, asyncio.IncompleteReadError, TimeoutError):
                await self._read_stream(follower)
            follower.ended_at = time.monotonic()
            follower.has_ended = True
            if not follower.resumes or follower.status in (400, 401, 406):
                return
            await asyncio.sleep(follower.retry)

    async def _read_stream(self, follower: Follower) -> None:
        follower.begin()
        wire = socket.socket()
        wire.setblocking(False)
        if not follower.reads:  # else its kernel would take megabytes for it
            wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        await asyncio.wait_for(
            asyncio.get_running_loop().sock_connect(wire, (self.host, self.port)), PATIENCE
        )
        connecting = asyncio.open_connection(
            sock=wire, ssl=self.tls, server_hostname="localhost" if self.tls else None
        )
        reader, writer = await asyncio.wait_for(connecting, PATIENCE)
        try:
            writer.write(self._request(follower))
            await asyncio.wait_for(self._read_head(follower, reader), PATIENCE)
            follower.opened += follower.status == 200
            if follower.status != 200:
                length = int(follower.answer["content-length"])
                follower.body = await asyncio.wait_for(reader.readexactly(length), PATIENCE)
                return
            if not follower.reads:
                writer.transport.pause_reading()  # type: ignore[attr-defined]
                await asyncio.sleep(3600)
            await self._read_events(follower, reader)
        finally:
            writer.close()

    def _request(self, follower: Follower) -> bytes:
        headers = {"Host": "localhost", "Accept": "text/event-stream", **follower.headers}
        if follower.token:
            headers["Authorization"] = f"Bearer {follower.token}"
        if follower.last_id:
            headers["Last-Event-ID"] = follower.last_id
        lines = [f"GET /events/stream{follower.query} HTTP/1.1", *(f"{k}: {v}" for k, v in headers.items())]
        return "\r\n".join([*lines, "", ""]).encode()

    async def _read_head(self, follower: Follower, reader: asyncio.StreamReader) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.strip().split("\r\n")
        follower.status = int(first.split()[1])
        follower.answer = dict(line.lower().split(": ", 1) for line in lines)

    async def _read_events(self, follower: Follower, reader: asyncio.StreamReader) -> None:
        chunked = "chunked" in follower.answer.get("transfer-encoding", "")  # as nginx passes it on
        rest = b""
        while data := await (self._chunk(reader) if chunked else reader.read(65536)):
            *blocks, rest = (rest + data).split(b"\n\n")
            for block in blocks:
                follower.take(block.decode())
            follower.text = (follower.text + data.decode(errors="replace"))[-10_000:]

    async def _chunk(self, reader: asyncio.StreamReader) -> bytes:
        size = int(await reader.readuntil(b"\r\n"), 16)
        return (await reader.readexactly(size + 2))[:-2]


@contextmanager
def crowd(port: int, **more: Any) -> Iterator[Crowd]:
    made = Crowd(port, **more)
    try:
        yield made
    finally:
        made.close_all()


def wait_for(true: Callable[[], bool], what: str, seconds: float = PATIENCE, *, every: float = 0.01) -> float:
    """Seconds until `true()`, which is asked `every` so many seconds."""
    start = time.monotonic()
    while not true():
        if time.monotonic() - start > seconds:
            raise TimeoutError(f"{what}: not within {seconds} s")
        time.sleep(every)
    return time.monotonic() - start
