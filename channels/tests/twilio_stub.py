"""Twilio's REST interface for messages, on a port of this machine, as well or as badly as a test wants it."""

import json
import threading
import time
from base64 import b64decode
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass
class Step:
    """How one request is answered."""

    #: 201 takes the message; anything else refuses it, with Twilio's `code`.
    status: int = 201
    code: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    #: Another body than Twilio's.
    text: str | None = None
    #: Seconds before the answer.
    delay: float = 0.0
    #: "before" or "after" it was taken: the connection is closed without an answer.
    drop: str = ""
    #: It is taken, unless `take` is False, and no answer ever comes.
    hang: bool = False
    take: bool = True
    #: A byte now and then, for ever.
    drip: bool = False


@dataclass
class Message:
    """One that was taken."""

    sid: str
    account: str
    fields: dict[str, str]
    at: datetime
    status: str = "queued"
    #: Whether Twilio's list shows it.
    listed: bool = True

    @property
    def to(self) -> str:
        return self.fields["To"]

    @property
    def body(self) -> str:
        return self.fields.get("Body", "")

    @property
    def callback(self) -> str:
        return self.fields.get("StatusCallback", "")

    def shown(self) -> dict[str, Any]:
        at = format_datetime(self.at)
        return {
            "sid": self.sid,
            "account_sid": self.account,
            "from": self.fields.get("From"),
            "to": self.to,
            "body": self.body,
            "messaging_service_sid": self.fields.get("MessagingServiceSid"),
            "status": self.status,
            "direction": "outbound-api",
            "date_created": at,
            "date_updated": at,
            "date_sent": None,
            "error_code": None,
            "error_message": None,
            "num_segments": "1",
            "num_media": "0",
            "price": None,
            "uri": f"/2010-04-01/Accounts/{self.account}/Messages/{self.sid}.json",
            "subresource_uris": {},
        }

    def report(self, status: str, code: int | None = None) -> dict[str, str]:
        """The fields of a status callback."""
        fields = {
            "MessageSid": self.sid,
            "SmsSid": self.sid,
            "MessageStatus": status,
            "SmsStatus": status,
            "AccountSid": self.account,
            "To": self.to,
            "From": self.fields.get("From", ""),
            "ApiVersion": "2010-04-01",
        }
        return fields | ({"ErrorCode": str(code)} if code else {})


class TwilioStub:
    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        #: How the next requests to send, and to list, are answered; then all are taken.
        self.steps: deque[Step] = deque()
        self.list_steps: deque[Step] = deque()
        #: What answers when there is no step left.
        self.otherwise = Step()
        #: Every request to send, whatever became of it, with when it came.
        self.asked: list[tuple[float, dict[str, str]]] = []
        self.lists: list[dict[str, str]] = []
        self.messages: list[Message] = []
        #: The one name and password that are good; None for any.
        self.key: tuple[str, str] | None = None
        self.keys_seen: list[tuple[str, str]] = []
        #: Whether new messages are shown in the list.
        self.lists_new = True
        #: The most requests that were under way at the same time, by number.
        self.most_at_once: dict[str, int] = {}
        self.under_way: dict[str, int] = {}
        self.lock = threading.Lock()
        self.over = threading.Event()

    def bodies(self, to: str | None = None) -> list[str]:
        return [one.body for one in self.messages if to in (None, one.to)]

    def take(self, account: str, fields: dict[str, str]) -> Message:
        with self.lock:
            sid = f"SM{len(self.messages) + 1:032x}"
            message = Message(sid, account, fields, datetime.now(UTC).replace(microsecond=0))
            message.listed = self.lists_new
            self.messages.append(message)
        return message

    def show_all(self) -> None:
        for message in self.messages:
            message.listed = True

    def find(self, filters: dict[str, str]) -> list[Message]:
        with self.lock:
            newest = list(reversed(self.messages))
        return [
            one
            for one in newest
            if one.listed
            and filters.get("To") in (None, one.to)
            and filters.get("From") in (None, one.fields.get("From"))
        ]


class _Handler(BaseHTTPRequestHandler):
    stub: TwilioStub

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        form = parse_qs(self.rfile.read(length).decode(), keep_blank_values=True)
        fields = {name: values[0] for name, values in form.items()}
        number = fields.get("From", "")
        with self.stub.lock:
            self.stub.asked.append((time.monotonic(), fields))
            step = self.stub.steps.popleft() if self.stub.steps else self.stub.otherwise
            self.stub.under_way[number] = now = self.stub.under_way.get(number, 0) + 1
            self.stub.most_at_once[number] = max(now, self.stub.most_at_once.get(number, 0))
        try:
            self._create(step, fields)
        finally:
            with self.stub.lock:
                self.stub.under_way[number] -= 1

    def _create(self, step: Step, fields: dict[str, str]) -> None:
        if not self._may():
            self._refuse(Step(401, 20003))
        elif step.drop == "before":
            pass
        elif step.status >= 300:
            self.stub.over.wait(step.delay)
            self._refuse(step)
        else:
            message = self.stub.take(self.path.split("/")[3], fields) if step.take else None
            self.stub.over.wait(step.delay)
            if step.hang:
                self.stub.over.wait(60)
            elif step.drip:
                self._drip()
            elif step.drop != "after":
                shown = json.dumps(message.shown()) if message else "{}"
                self._answer(step.status, shown if step.text is None else step.text, step.headers)

    def do_GET(self) -> None:
        query = parse_qs(urlsplit(self.path).query)
        filters = {name: values[0] for name, values in query.items()}
        with self.stub.lock:
            self.stub.lists.append(filters)
            step = self.stub.list_steps.popleft() if self.stub.list_steps else Step(200)
        if not self._may():
            self._refuse(Step(401, 20003))
        elif step.status != 200:
            self._refuse(step)
        elif not step.drop:
            found = [message.shown() for message in self.stub.find(filters)]
            page = {"messages": found[: int(filters.get("PageSize", "50"))], "next_page_uri": None, "page": 0}
            self._answer(200, json.dumps(page), {})

    def _may(self) -> bool:
        name, _, password = b64decode(self.headers["Authorization"].split()[1]).decode().partition(":")
        self.stub.keys_seen.append((name, password))
        return self.stub.key in (None, (name, password))

    def _refuse(self, step: Step) -> None:
        problem = {"code": step.code, "message": "No, +14155550100.", "more_info": "", "status": step.status}
        text = step.text if step.text is not None else json.dumps(problem) if step.code else "<html>No</html>"
        self._answer(step.status, text, step.headers)

    def _answer(self, status: int, text: str, headers: dict[str, str]) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def _drip(self) -> None:
        self.wfile.write(b"HTTP/1.1 201 Created\r\n")
        while not self.stub.over.wait(0.1):
            self.wfile.write(b"X-More: 1\r\n")

    def log_message(self, *args: Any) -> None:
        pass

    def handle(self) -> None:
        try:
            super().handle()
        except OSError:  # whoever asked is gone
            self.close_connection = True


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64


@contextmanager
def twilio_stub() -> Iterator[TwilioStub]:
    handler = type("Handler", (_Handler,), {})
    server = _Server(("127.0.0.1", 0), handler)
    stub = handler.stub = TwilioStub(server.server_address[1])  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield stub
    finally:
        stub.over.set()
        server.shutdown()
        server.server_close()
