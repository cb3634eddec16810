"""A server that speaks OpenAI's chat completions, with every quirk that was seen of real ones.

`with Stub(Says("Hello")) as stub:` answers requests by the behaviours given, one after the other; the last
one stays. `stub.requests` are the bodies it got, `stub.headers` their headers, `stub.times` when.
"""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

USAGE = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}


@dataclass(frozen=True)
class Says:
    """An answer; how it is streamed follows from what is asked for."""

    text: str = "Hello."
    calls: tuple[tuple[str, Any], ...] = ()
    finish: str | None = None
    usage: dict[str, int] | None = field(default_factory=lambda: dict(USAGE))
    #: Seconds before it begins, and between two pieces.
    delay: float = 0.0
    drip: float = 0.0
    #: Faults of the calls: index0, noid, dict, stop, noindex, lateid.
    quirks: frozenset[str] = frozenset()
    #: Characters of a piece.
    size: int = 6

    @property
    def reason(self) -> str:
        if self.finish is not None:
            return self.finish
        return "tool_calls" if self.calls and "stop" not in self.quirks else "stop"

    def message(self) -> dict[str, Any]:
        calls = [self._call(number, *call) for number, call in enumerate(self.calls)]
        return {"role": "assistant", "content": self.text or None, **({"tool_calls": calls} if calls else {})}

    def _call(self, number: int, name: str, arguments: Any) -> dict[str, Any]:
        written = arguments if "dict" in self.quirks or isinstance(arguments, str) else json.dumps(arguments)
        call: dict[str, Any] = {"type": "function", "function": {"name": name, "arguments": written}}
        return call if "noid" in self.quirks else {"id": f"id-{number}", **call}

    def deltas(self) -> Iterator[dict[str, Any]]:
        yield {"role": "assistant", "content": ""}
        for start in range(0, len(self.text), self.size):
            yield {"content": self.text[start : start + self.size]}
        for number, call in enumerate(self.message().get("tool_calls", [])):
            yield from self._pieces(number, call)

    def _pieces(self, number: int, call: dict[str, Any]) -> Iterator[dict[str, Any]]:
        index = {} if "noindex" in self.quirks else {"index": 0 if "index0" in self.quirks else number}
        arguments = call["function"]["arguments"]
        late = "lateid" in self.quirks
        first = {key: value for key, value in call.items() if not (late and key == "id")}
        if not isinstance(arguments, str):
            yield {"tool_calls": [{**index, **first}]}
            return
        yield {"tool_calls": [{**index, **first, "function": {"name": call["function"]["name"]}}]}
        half = len(arguments) // 2
        for part in (arguments[:half], arguments[half:]):
            said = {**index, "function": {"arguments": part}}
            if late:
                said["id"] = call["id"]
            yield {"tool_calls": [said]}


@dataclass(frozen=True)
class Answers:
    """A status with a body as it stands."""

    status: int = 200
    body: str = ""
    content_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Cuts:
    """Ends in the middle: a stream that is chunked, or not; or an error event in it."""

    after: int = 3
    chunked: bool = True
    error: bool = False


@dataclass(frozen=True)
class Hangs:
    """Says nothing, or drips for ever."""

    drips: bool = False


Behaviour = Says | Answers | Cuts | Hangs
Chooser = Callable[[dict[str, Any]], Behaviour]


def problem(status: int, code: str = "", message: str = "secret detail", **headers: str) -> Answers:
    body = json.dumps({"error": {"message": message, "type": "error", "code": code or None}})
    return Answers(status, body, headers=tuple(headers.items()))


class Stub:
    def __init__(self, *behaviours: Behaviour | Chooser) -> None:
        self.behaviours = list(behaviours) or [Says()]
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.times: list[float] = []
        #: When clients went away in the middle of a stream.
        self.left: list[float] = []
        self.active = self.most_active = 0
        self.lock = threading.Lock()
        self.stopping = threading.Event()

    def __enter__(self) -> "Stub":
        stub = self

        class Handler(_Handler):
            server_stub = stub

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/v1"
        return self

    def __exit__(self, *args: object) -> None:
        self.stopping.set()
        self.server.shutdown()
        self.server.server_close()

    def next(self, request: dict[str, Any], headers: dict[str, str]) -> Behaviour:
        with self.lock:
            self.requests.append(request)
            self.headers.append(headers)
            self.times.append(time.monotonic())
            chosen = self.behaviours.pop(0) if len(self.behaviours) > 1 else self.behaviours[0]
        return chosen(request) if callable(chosen) else chosen

    def said(self, number: int = -1) -> list[tuple[str, str]]:
        """Roles and texts of a request, without the system's."""
        turns = self.requests[number]["messages"]
        return [(turn["role"], turn["content"]) for turn in turns if turn["role"] != "system"]


class _Handler(BaseHTTPRequestHandler):
    server_stub: Stub
    protocol_version = "HTTP/1.1"

    def log_message(self, *args: Any) -> None:
        pass

    def do_POST(self) -> None:
        stub = self.server_stub
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with stub.lock:
            stub.active += 1
            stub.most_active = max(stub.most_active, stub.active)
        try:
            if self.path != "/v1/chat/completions":
                self._send(404, "{}", "application/json")
                return
            behaviour = stub.next(request, {k.lower(): v for k, v in self.headers.items()})
            self._behave(behaviour, stream=bool(request.get("stream")))
        except (BrokenPipeError, ConnectionResetError):
            stub.left.append(time.monotonic())
            self.close_connection = True
        finally:
            with stub.lock:
                stub.active -= 1

    def _behave(self, behaviour: Behaviour, *, stream: bool) -> None:
        match behaviour:
            case Answers():
                headers = {name.replace("_", "-"): value for name, value in behaviour.headers}
                self._send(behaviour.status, behaviour.body, behaviour.content_type, **headers)
            case Cuts():
                self._cut(behaviour)
            case Hangs():
                self._hang(behaviour)
            case Says() if stream:
                self._sleep(behaviour.delay)
                self._stream(behaviour)
            case Says():
                self._sleep(behaviour.delay)
                choice = {"index": 0, "message": behaviour.message(), "finish_reason": behaviour.reason}
                usage = {"usage": behaviour.usage} if behaviour.usage else {}
                answer = {"id": "x", "object": "chat.completion", "created": 1, "model": "stub"}
                self._send(200, json.dumps({**answer, "choices": [choice], **usage}), "application/json")

    def _send(self, status: int, body: str, content_type: str, **headers: str) -> None:
        data = body.encode()
        self.send_response(status)
        for name, value in {
            "Content-Type": content_type,
            "Content-Length": str(len(data)),
            **headers,
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def _sleep(self, seconds: float) -> None:
        """Notices a client that goes away meanwhile."""
        ends_at = time.monotonic() + seconds
        while time.monotonic() < ends_at and not self.server_stub.stopping.is_set():
            self._notice()
            time.sleep(min(0.02, max(0.0, ends_at - time.monotonic())))

    def _notice(self) -> None:
        self.connection.setblocking(False)
        try:
            if self.connection.recv(1, socket.MSG_PEEK) == b"":
                raise ConnectionResetError
        except BlockingIOError:
            pass
        finally:
            with suppress(OSError):
                self.connection.setblocking(True)

    def _begin(self, *, chunked: bool) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        if chunked:
            self.send_header("Transfer-Encoding", "chunked")
        else:
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()

    def _event(self, data: str, *, chunked: bool = True) -> None:
        line = f"data: {data}\n\n".encode()
        self.wfile.write(b"%x\r\n%s\r\n" % (len(line), line) if chunked else line)
        self.wfile.flush()

    def _stream(self, says: Says) -> None:
        self._begin(chunked=True)
        for delta in says.deltas():
            self._notice()
            self._event(_chunk(delta))
            if says.drip:
                self._sleep(says.drip)
        self._event(_chunk({}, finish=says.reason or None))
        if says.usage:
            self._event(json.dumps({**json.loads(_chunk({})), "choices": [], "usage": says.usage}))
        self._event("[DONE]")
        self.wfile.write(b"0\r\n\r\n")

    def _cut(self, cuts: Cuts) -> None:
        self._begin(chunked=cuts.chunked)
        for number in range(cuts.after):
            self._event(_chunk({"content": f"half {number} "}), chunked=cuts.chunked)
        if cuts.error:
            self._event(json.dumps({"error": {"message": "secret detail"}}), chunked=cuts.chunked)
        self.close_connection = True
        self.wfile.flush()
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def _hang(self, hangs: Hangs) -> None:
        if hangs.drips:
            self._begin(chunked=True)
        while not self.server_stub.stopping.is_set():
            if hangs.drips:
                self._event(_chunk({"content": "."}))
            self._sleep(0.1)


def _chunk(delta: dict[str, Any], *, finish: str | None = None) -> str:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    head = {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": "stub"}
    return json.dumps({**head, "choices": [choice]})
