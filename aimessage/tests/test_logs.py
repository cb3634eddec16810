import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from concurrent_log_handler import ConcurrentRotatingFileHandler
from rest_framework.test import APIClient

from accounts.models import User
from aimessage.logs import OneLineFormatter, RequestIdFilter, logging_config, one_line
from conftest import ApiClient
from tests.factories import PASSWORD


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


def test_ordinary_text_is_left_as_it_is() -> None:
    assert one_line("Zo\u00eb \u4e2d\U0001f600 \\n") == "Zo\u00eb \u4e2d\U0001f600 \\n"


def test_an_event_with_a_traceback_is_one_line() -> None:
    try:
        raise ValueError("first\nsecond")
    except ValueError as error:
        info = (type(error), error, error.__traceback__)
    record = logging.LogRecord("auth", logging.ERROR, __file__, 1, "it\nfailed", None, info)

    assert len(OneLineFormatter("%(message)s").format(record).splitlines()) == 1


def test_a_name_with_line_breaks_forges_no_second_event(client: APIClient, db: None, auth_log: Path) -> None:
    name = "nobody\n2026-01-01 00:00:00 auth INFO [-] login: user=1\u2028x"

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
