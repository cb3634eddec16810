import itertools
import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from concurrent_log_handler import ConcurrentRotatingFileHandler
from gunicorn.glogging import SafeAtoms
from rest_framework.test import APIClient

from accounts.models import User
from aimessage.db.fields import fold
from aimessage.server.logs import (
    LINE_MAX_LENGTH,
    JsonAccessFormatter,
    JsonFormatter,
    NoScrapesFilter,
    OneLineFormatter,
    RequestIdFilter,
    logging_config,
    one_line,
    request_id,
)
from conftest import ApiClient
from tests.factories import PASSWORD, UserFactory

pytestmark = pytest.mark.once


@pytest.fixture
def auth_log(tmp_path: Path) -> Iterator[Path]:
    """The auth log of the configuration that is in use, in a folder of its own."""
    config = logging_config(tmp_path)
    options = config["handlers"]["auth"]
    handler = ConcurrentRotatingFileHandler(
        options["filename"],
        maxBytes=options["maxBytes"],
        backupCount=options["backupCount"],
        encoding="utf-8",
    )
    handler.addFilter(RequestIdFilter())
    handler.setFormatter(OneLineFormatter(config["formatters"]["line"]["format"]))
    logger = logging.getLogger("auth")
    logger.addHandler(handler)
    yield tmp_path / "auth.log"
    logger.removeHandler(handler)
    handler.close()


def test_there_are_five_files_of_a_megabyte_and_fifty_old_ones_each(tmp_path: Path) -> None:
    files: dict[str, Any] = {
        name: handler for name, handler in logging_config(tmp_path)["handlers"].items() if name != "console"
    }

    assert set(files) == {"auth", "messages", "reports", "twilio_webhook", "audit"}
    for name, handler in files.items():
        assert handler["filename"] == str(tmp_path / f"{name}.log")
        assert (handler["maxBytes"], handler["backupCount"]) == (1_000_000, 50)


@pytest.mark.parametrize("char", ["\n", "\r", "\x00", "\x1b", "\x7f", "\x85", "\u2028", "\u2029", "\ud800"])
def test_no_character_makes_a_second_line(char: str) -> None:
    text = one_line(f"a{char}b")

    assert len(text.splitlines()) == 1
    assert char not in text
    assert text.startswith("a\\")


@pytest.mark.parametrize(
    "char", [*"\u061c\u200e\u200f", *"\u202a\u202b\u202c\u202d\u202e", *"\u2066\u2067\u2068\u2069"]
)
def test_no_character_makes_a_line_read_in_another_order(char: str) -> None:
    assert one_line(f"a{char}b") == f"a\\u{ord(char):04x}b"


@pytest.mark.parametrize(
    "text",
    ["Zo\u00eb \u4e2d\U0001f600 \\n", "\u05e9\u05dc\u05d5\u05dd \u0645\u0631\u062d\u0628\u0627", "a\u200db"],
)
def test_ordinary_text_is_left_as_it_is(text: str) -> None:
    assert one_line(text) == text


def test_an_event_with_a_traceback_is_one_line() -> None:
    try:
        raise ValueError("first\nsecond")
    except ValueError as error:
        info = (type(error), error, error.__traceback__)
    record = logging.LogRecord("auth", logging.ERROR, __file__, 1, "it\nfailed", None, info)

    assert len(OneLineFormatter("%(message)s").format(record).splitlines()) == 1


def test_a_name_with_line_breaks_forges_no_second_event(client: APIClient, db: None, auth_log: Path) -> None:
    # As a backup, or whoever has the database, may bring one in.
    name = "nobody\n2026-01-01 00:00:00 auth INFO [-] login: user=1\u2028x"
    user = UserFactory(username="dave")
    User.objects.filter(pk=user.pk).update(username=name, username_key=fold(name))

    client.post("/auth/login", {"username": name, "password": "wrong-password"}, HTTP_X_REQUEST_ID="mine")

    lines = auth_log.read_text(encoding="utf-8").splitlines()
    assert len(lines) == 1
    assert "[mine] login failed: username=nobody\\n2026" in lines[0]


def test_no_password_and_no_token_is_in_the_log(
    client: APIClient, as_user: ApiClient, db: None, auth_log: Path
) -> None:
    sent = {"username": "dave", "email": "dave@example.org", "password": PASSWORD}
    client.post("/auth/register", sent)
    client.post("/auth/login", {**sent, "password": "wrong-password-9"})
    tokens = client.post("/auth/login", sent).json()
    fresh = client.post("/auth/refresh", {"refresh_token": tokens["refresh_token"]}).json()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {fresh['access_token']}")
    client.put("/auth/me/password", {"current_password": PASSWORD, "new_password": "amber-kettle-77"})
    client.post("/auth/logout", {"refresh_token": fresh["refresh_token"]})

    text = auth_log.read_text(encoding="utf-8")
    for event in ("registered", "login failed", "login:", "refresh:", "password changed", "session ended"):
        assert event in text
    user = User.objects.get()
    secrets = [PASSWORD, "wrong-password-9", "amber-kettle-77", user.password]
    secrets += [str(pair[name]) for pair in (tokens, fresh) for name in ("access_token", "refresh_token")]
    secrets += user.sessions.values_list("session_token", flat=True)
    for secret in secrets:
        assert secret not in text


HOSTILE = [
    "\n",
    '"',
    "\\",
    "\x00",
    "\x1b[31m",
    "\x7f",
    "\x85",
    "\u2028",
    "\u2029",
    "\ud800",
    '"}\n{"level": "ERROR"',
]


def as_json(record: logging.LogRecord) -> dict[str, Any]:
    line = JsonFormatter().format(record)
    assert line.isascii()
    assert line.isprintable()
    event: dict[str, Any] = json.loads(line)
    return event


def record(message: str, *args: Any, **extra: Any) -> logging.LogRecord:
    return logging.getLogger("auth").makeRecord(
        "auth", logging.WARNING, __file__, 1, message, args, None, extra=extra
    )


def test_an_event_as_json_says_when_where_and_what() -> None:
    made = record("login failed: username=%s", "bob")
    made.created = 1772366400.25
    token = request_id.set("mine")
    try:
        event = as_json(made)
    finally:
        request_id.reset(token)

    assert event == {
        "time": "2026-03-01T12:00:00.250000+00:00",
        "level": "WARNING",
        "logger": "auth",
        "message": "login failed: username=bob",
        "request_id": "mine",
    }


@pytest.mark.parametrize("text", HOSTILE)
def test_no_value_breaks_out_of_its_json(text: str) -> None:
    event = as_json(record("username=%s", text, **{"given": text, f"name{text}": 1}))

    assert event["message"] == f"username={text}"
    assert event["given"] == text
    assert event[f"name{text}"] == 1
    assert event["level"] == "WARNING"


def test_what_is_passed_along_comes_along_where_it_is_plain() -> None:
    given = {"status_code": 500, "seconds": 0.25, "none": None, "is_new": True}
    objects = {"request": object(), "many": ["a"], "nan": float("nan"), "infinite": float("inf")}

    event = as_json(record("x", **given, **objects))

    assert {name: event[name] for name in given} == given
    assert not set(objects) & set(event)


def test_what_is_passed_along_overwrites_nothing() -> None:
    event = as_json(record("x", level="DEBUG", logger="other", time="never", exception="none"))

    assert (event["level"], event["logger"]) == ("WARNING", "auth")
    assert event["time"] != "never"
    assert "exception" not in event


def test_an_event_with_a_traceback_is_one_json_line() -> None:
    try:
        raise ValueError("first\nsecond\u2028third")
    except ValueError as error:
        made = logging.LogRecord(
            "auth", logging.ERROR, __file__, 1, "it\nfailed", None, (type(error), error, error.__traceback__)
        )

    event = as_json(made)

    assert event["message"] == "it\nfailed"
    assert event["exception"].endswith("ValueError: first\nsecond\u2028third")


def access(path: str, status: str) -> logging.LogRecord:
    atoms = SafeAtoms(
        {"h": "192.0.2.7", "m": "GET", "U": path, "q": "search=secret", "s": status, "B": 20, "L": "0.001500"}
        | {"{x-request-id}o": "mine"}
    )
    line = '%(h)s "%(m)s %(U)s" %(s)s'
    return logging.LogRecord("gunicorn.access", logging.INFO, __file__, 1, line, (atoms,), None)


def test_an_access_as_json_names_its_parts_and_no_query() -> None:
    event = json.loads(JsonAccessFormatter().format(access('/nope"\n{}', "404")))

    assert (
        event.items()
        >= {
            "client": "192.0.2.7",
            "method": "GET",
            "path": '/nope"\n{}'.replace('"', '\\"'),  # gunicorn's own escape
            "status": 404,
            "bytes": 20,
            "seconds": 0.0015,
            "request_id": "mine",
        }.items()
    )
    assert "secret" not in str(event)


@pytest.mark.parametrize(
    ("path", "status", "is_written"),
    [
        ("/metrics", "200", False),
        ("/metrics", "404", True),
        ("/metrics/", "404", True),
        ("/health", "200", True),
    ],
)
def test_scrapes_that_were_answered_are_no_news(path: str, status: str, is_written: bool) -> None:
    assert NoScrapesFilter().filter(access(path, status)) is is_written


def test_without_a_folder_everything_goes_to_the_console() -> None:
    config = logging_config(None, "json")

    assert set(config["handlers"]) == {"console"}
    for name in ("auth", "messages", "reports", "twilio_webhook"):
        assert config["loggers"][name] == {"handlers": ["console"], "level": "INFO", "propagate": False}
    assert config["formatters"]["line"] == {"()": JsonFormatter}


def test_every_configuration_can_be_used(tmp_path: Path) -> None:
    """In a process of its own, since a configuration is one for all loggers."""
    script = (
        "import sys, logging, logging.config\n"
        "from pathlib import Path\n"
        "from aimessage.server.logs import logging_config\n"
        "folder = Path(sys.argv[1]) if sys.argv[1] != '-' else None\n"
        "logging.config.dictConfig(logging_config(folder, sys.argv[2]))\n"
        "logging.getLogger('auth').warning('caf\\u00e9 %s', 'a\\nb')\n"
    )
    for folder, log_format in itertools.product([str(tmp_path), "-"], ["text", "json"]):
        done = subprocess.run(
            [sys.executable, "-c", script, folder, log_format], capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stderr
        assert bool(done.stderr) is (folder == "-")
        text = done.stderr or (tmp_path / "auth.log").read_text(encoding="utf-8")
        last = text.splitlines()[-1]
        if log_format == "json":
            assert json.loads(last)["message"] == "caf\u00e9 a\nb"
        else:
            assert last.endswith("auth WARNING [-] caf\u00e9 a\\nb")


@pytest.mark.parametrize("formatter", [OneLineFormatter("%(message)s"), JsonFormatter()])
def test_a_line_has_an_end_whatever_is_in_it(formatter: logging.Formatter) -> None:
    text = "a" * 300_000
    record = logging.LogRecord("auth", logging.INFO, "x.py", 1, "begin %s end", (text,), None)
    record.given = text
    try:
        raise ValueError(text)
    except ValueError:
        record.exc_info = sys.exc_info()

    line = formatter.format(record)

    assert len(line) < 4 * LINE_MAX_LENGTH
    assert "begin" in line
    assert "characters left out" in line
