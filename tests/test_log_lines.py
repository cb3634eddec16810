"""One event, one line, whatever a client puts wherever he can put something.

What there is to fill is read off the API's own description, so that a new field is filled as well.
"""

import json
import logging
import re
import socket
from collections.abc import Iterator
from io import StringIO
from logging.config import DictConfigurator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from django.test import Client
from pytest_django import Settings
from rest_framework.test import APIClient

from accounts.models import Role, User
from aimessage.server.logs import FILES, formatters, logging_config
from conftest import ApiClient
from messaging.views.messages import MessageViewSet
from tests.described import OPERATIONS, resolve
from tests.factories import PASSWORD, BlockFactory, MessageFactory, ReportFactory
from tests.faults.servers import Application, serving
from tests.routes import share, undone

pytestmark = [pytest.mark.django_db, pytest.mark.once]

FORGED = "2026-01-01 00:00:00,000 auth INFO [-] login: user=1 session=1 address=192.0.2.1"
CHARACTERS = {
    "CR": "\r",
    "LF": "\n",
    "CRLF": "\r\n",
    "tab": "\t",
    "vertical tab": "\v",
    "form feed": "\f",
    "file separator": "\x1c",
    "record separator": "\x1e",
    "NUL": "\0",
    "bell": "\a",
    "backspace": "\b\b\b\b",
    "ANSI colour": "\x1b[31m",
    "ANSI title": "\x1b]0;owned\x07",
    "ANSI clear": "\x1b[2J\x1b[H",
    "C1 CSI": "\x9b31m",
    "DEL": "\x7f",
    "NEL": "\x85",
    "line separator": "\u2028",
    "paragraph separator": "\u2029",
    "right-to-left override": "\u202e",
    "right-to-left isolate": "\u2067",
}
HEADERS = ["User-Agent", "X-Request-ID", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto"]
HEADERS += ["Idempotency-Key", "Origin", "Referer", "Host", "Authorization", "Accept", "Accept-Language"]
HEADERS += ["Content-Type", "Content-Length", "Cookie", "If-None-Match", "Access-Control-Request-Method"]
#: What a line must not hold: controls, what tools break lines at, and what turns the direction of text about.
UNPRINTABLE = re.compile(
    r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]"
)
LINE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} [\w.]+ [A-Z]+ \[([\w.-]{1,128})\] .*")
ESCAPED = re.compile(r"\\(r|n|t|x[0-9a-f]{2}|u[0-9a-f]{4})")


class Log(logging.Handler):
    """Everything that is logged, in both formats, as it would be written."""

    def __init__(self) -> None:
        super().__init__()
        self.filters = [logging_filter()]
        self.events = 0
        self.written = {name: StringIO() for name in ("text", "json")}
        build = DictConfigurator({"version": 1}).configure_formatter
        self.forms = {name: build(formatters(name)["line"]) for name in self.written}

    def emit(self, record: logging.LogRecord) -> None:
        self.events += 1
        for name, stream in self.written.items():
            stream.write(self.forms[name].format(record) + "\n")

    def check(self, at_least: int) -> None:
        """One line for each event, and nothing in it that a terminal or a tool would act upon."""
        assert self.events >= at_least
        for text in (stream.getvalue() for stream in self.written.values()):
            assert not UNPRINTABLE.search(text)
            assert len(text.splitlines()) == text.count("\n") == self.events
            assert not any(line.startswith(FORGED[:30]) for line in text.splitlines())
        for line in self.written["text"].getvalue().splitlines():
            assert LINE.fullmatch(line), line
        for line in self.written["json"].getvalue().splitlines():
            assert {"time", "level", "logger", "message", "request_id"} <= json.loads(line).keys()


def logging_filter() -> Any:
    made = DictConfigurator({"version": 1}).configure_filter(logging_config(None)["filters"]["request_id"])
    return made.filter


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Iterator[Log]:
    """With what is else left to gunicorn's access log, as every 404 and every host refused."""
    handler, quiet = Log(), ["django.request", "django.security.DisallowedHost"]
    heard = [logging.getLogger(name) for name in ("django", *FILES)]
    heard.append(logging.getLogger())
    for logger in heard:
        logger.addHandler(handler)
    for name in quiet:
        monkeypatch.setattr(logging.getLogger(name), "level", logging.INFO)
    logging.Logger.manager._clear_cache()
    yield handler
    for logger in heard:
        logger.removeHandler(handler)


@pytest.fixture
def me(as_user: ApiClient, alice: User, settings: Settings) -> APIClient:
    settings.TRUSTED_PROXIES = 1
    client = as_user(alice)
    client.raise_request_exception = False
    return client


@pytest.fixture
def ids(alice: User, bob: User, carol: User) -> dict[str, Any]:
    message = MessageFactory(sender=alice, recipient=bob)
    BlockFactory(blocker=alice, blocked=carol)
    report = ReportFactory(reporter=alice, message=message).pk
    return {"message": message, "user_id": carol.pk, "report": report, "bob": bob}


def url_of(path: str, ids: dict[str, Any]) -> str:
    message = ids["message"]
    pk = ids["report"] if path.startswith("/reports") else message.pk
    return path.format(id=pk, user_id=ids["user_id"], conversation_id=message.conversation_id)


def hostile(character: str) -> str:
    return f"owned{character}{FORGED}"


def as_wsgi(text: str) -> str:
    """As a server hands over what came in UTF-8."""
    return text.encode().decode("latin-1")


def fields_of(operation: dict[str, Any]) -> list[str]:
    content = operation.get("requestBody", {}).get("content", {})
    return list(resolve(next(iter(content.values()))["schema"])["properties"]) if content else []


def good_body(operation: dict[str, Any], ids: dict[str, Any]) -> dict[str, Any]:
    good = {
        "username": "dora", "email": "dora@example.org", "password": PASSWORD, "recipient_id": ids["bob"].pk,
        "content": "Noon?", "title": "Insults", "user_id": ids["bob"].pk, "refresh_token": "x",
        "current_password": PASSWORD, "new_password": "amber-kettle-77",
        "name": "Backup", "scopes": ["messages:read"],
    }  # fmt: skip
    return {name: good[name] for name in fields_of(operation) if name in good}


def send(client: APIClient, method: str, url: str, body: dict[str, Any] | None = None, **more: Any) -> Any:
    """The application may refuse it, but not fall over it."""
    with undone():
        data = json.dumps(body).encode() if body is not None else b""
        more.setdefault("content_type", "application/json")
        answer = client.generic(method, url, data, **more)
    assert answer.status_code < 500, (method, url, body, more)
    assert LINE.fullmatch(f"{FORGED[:23]} x INFO [{answer['X-Request-ID']}] x")
    return answer


@pytest.mark.parametrize("name", OPERATIONS)
def test_no_field_parameter_or_path_makes_a_second_line(
    me: APIClient, ids: dict[str, Any], log: Log, name: str
) -> None:
    operation = OPERATIONS[name]
    method, path = operation["method"], operation["path"]
    url, good = url_of(path, ids), good_body(operation, ids) if method != "GET" else None
    query = [one["name"] for one in operation.get("parameters", []) if one["in"] == "query"]
    # What escapes them is one formatter: each operation gets some of them, and all together each of them.
    tried = share(name, list(CHARACTERS.values()), of=3)
    for text in map(hostile, tried):
        for field in fields_of(operation):
            send(me, method, url, {**(good or {}), field: text})
        for parameter in [*query, "unknown"]:
            send(me, method, f"{url}?{parameter}={quote(text)}", good)
        for part in re.findall(r"{(\w+)}", path):
            asked = path.replace(f"{{{part}}}", quote(text, safe=""))
            send(me, method, asked.format(id=1, user_id=1, conversation_id="x"), good)
        send(me, method, f"{url}{quote(text, safe='')}", good)
        send(me, method, f"{url}?{quote(text)}=1", {**(good or {}), text: text})

    log.check(at_least=len(tried))
    assert len(ESCAPED.findall(log.written["text"].getvalue())) >= len(tried) - 1


@pytest.mark.parametrize("header", HEADERS)
def test_no_header_makes_a_second_line(me: APIClient, ids: dict[str, Any], log: Log, header: str) -> None:
    key = header.upper().replace("-", "_")
    key = key if key.startswith("CONTENT_") else f"HTTP_{key}"
    wrong = {"username": "nobody", "password": "wrong-password-9"}
    message = {"recipient_id": ids["bob"].pk, "content": "Noon?"}
    for text in map(hostile, CHARACTERS.values()):
        for value in {as_wsgi(text), text} if max(text) < "\u0100" else {as_wsgi(text)}:
            kind = value if header == "Content-Type" else "application/json"
            more = {} if header == "Content-Type" else {key: value}
            send(me, "POST", "/auth/login", wrong, content_type=kind, **more)
            send(me, "POST", "/messages", message, content_type=kind, **more)
            send(me, "GET", "/nowhere", content_type=kind, **more)

    log.check(at_least=len(CHARACTERS))


@pytest.mark.parametrize("field", ["username", "password", "next", "csrfmiddlewaretoken", "unknown"])
def test_no_field_of_the_admins_login_makes_a_second_line(db: None, log: Log, field: str) -> None:
    for text in map(hostile, CHARACTERS.values()):
        for path in ("/admin/login/", f"/admin/login/?{field}={quote(text)}", f"/admin/{quote(text)}/"):
            with undone():
                form = {"username": "nobody", "password": "wrong-password-9", field: text}
                answer = Client(raise_request_exception=False).post(path, form, HTTP_USER_AGENT=text)
            assert answer.status_code < 500

    log.check(at_least=len(CHARACTERS))
    assert "login failed: username=" in log.written["text"].getvalue()


def test_no_name_of_a_role_makes_a_second_line(browser_of: Any, superuser: User, log: Log) -> None:
    browser = browser_of(superuser)
    for text in map(hostile, CHARACTERS.values()):
        with undone():
            browser.post("/admin/accounts/role/add/", {"name": text[:150], "description": text})
            for role in Role.objects.filter(name__startswith="owned"):
                browser.post(f"/admin/accounts/role/{role.pk}/delete/", {"post": "yes"})

    log.check(at_least=len(CHARACTERS) - 1)  # no form takes a NUL
    assert log.written["text"].getvalue().count("role deleted: ") >= len(CHARACTERS) - 1


def test_no_error_of_the_inside_makes_a_second_line(
    me: APIClient, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fall_over(view: Any, request: Any) -> None:
        raise ValueError(f"{request.query_params['search']} {request.headers['User-Agent']}")

    monkeypatch.setattr(MessageViewSet, "list", fall_over)
    for text in map(hostile, CHARACTERS.values()):
        with undone():
            answer = me.get("/messages", {"search": text}, HTTP_USER_AGENT=text)
        assert answer.status_code == (400 if "\0" in text else 500)

    log.check(at_least=len(CHARACTERS))
    assert log.written["text"].getvalue().count("Traceback") == len(CHARACTERS) - 1


def ask(port: int, head: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=20) as line:
        line.sendall(head)
        line.settimeout(20)
        return line.recv(4096)


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_a_real_server_writes_one_line_for_each_request(tmp_path: Path, log_format: str) -> None:
    """Access and errors, also of what gunicorn refuses by itself."""
    settings = {"AI_MESSAGE_LOG_FORMAT": log_format, "AI_MESSAGE_LOGS_FOLDER": "-"}
    settings["PYTHONWARNINGS"] = "ignore"  # of static files, which no test collects
    database = f"sqlite:///{tmp_path}/test.sqlite3"
    application = Application(tmp_path / "server", database, workers=1, settings=settings)
    body = json.dumps({"username": hostile("\x1b[2J\n\u2028"), "password": "wrong-password-9"}).encode()
    sent = 0
    with serving(application):
        for text in map(hostile, CHARACTERS.values()):
            raw, escaped = text.encode(), quote(text, safe="").encode()
            for path, header in [
                (b"/" + escaped, b"x"), (b"/messages?search=" + escaped, b"x"), (b"/health", raw),
                (raw, b"x"), (b"/\xff" + escaped, escaped),
            ]:  # fmt: skip
                rest = b"\r\nHost: localhost\r\nConnection: close\r\nUser-Agent: " + header
                rest += b"\r\nReferer: " + header + b"\r\nX-Request-ID: " + header
                assert ask(application.port, b"GET " + path + b" HTTP/1.1" + rest + b"\r\n\r\n")
                sent += 1
            assert ask(application.port, raw + b" / HTTP/1.1\r\nHost: " + raw + b"\r\n\r\n")
        head = (
            "POST /auth/login HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        ).encode()
        assert b"401" in ask(application.port, head + body)

    lines = (tmp_path / "server" / "server.log").read_bytes().decode().split("\n")
    assert lines.pop() == ""
    for line in lines:
        assert line.splitlines() == [line]
        assert not UNPRINTABLE.search(line), line
        assert not line.startswith(FORGED[:40])
        if log_format == "json":
            assert "message" in json.loads(line)
        else:
            assert re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} [\w.]+ [A-Z]+ ", line), line
    assert len([line for line in lines if "gunicorn.access" in line]) >= len(CHARACTERS) * 2
    assert len([line for line in lines if "login failed" in line]) == 1
    assert sent == 5 * len(CHARACTERS)
