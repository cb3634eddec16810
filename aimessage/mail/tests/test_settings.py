from pathlib import Path
from typing import Any

import pytest

from aimessage.mail.settings import parse_link, parse_mail_url, parse_public_urls, parse_sender

BASE = Path("/srv/chat")
SMTP = "smtp://al%40ice:p%2Fw%23@mail.example.org"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("off", {"MAIL_ON": False, "MAIL_LEAVES": False}),
        ("console:", {"MAIL_ON": True, "MAIL_LEAVES": False}),
        ("file:outbox", {"EMAIL_FILE_PATH": BASE / "outbox", "MAIL_LEAVES": False}),
        ("file:/var/mails", {"EMAIL_FILE_PATH": Path("/var/mails")}),
        (SMTP, {"EMAIL_HOST": "mail.example.org", "EMAIL_PORT": 587, "EMAIL_USE_TLS": True}),
        (SMTP, {"EMAIL_HOST_USER": "al@ice", "EMAIL_HOST_PASSWORD": "p/w#", "MAIL_LEAVES": True}),
        ("smtps://mail.example.org", {"EMAIL_PORT": 465, "EMAIL_USE_SSL": True, "EMAIL_USE_TLS": False}),
        ("smtp+plain://127.0.0.1:2525", {"EMAIL_PORT": 2525, "EMAIL_USE_TLS": False, "MAIL_LEAVES": False}),
        ("smtp+plain://[::1]", {"EMAIL_HOST": "::1"}),
    ],
)
def test_a_url_becomes_settings(url: str, expected: dict[str, Any]) -> None:
    found = parse_mail_url(url, base=BASE)

    assert {name: found[name] for name in expected} == expected


@pytest.mark.parametrize(
    "url",
    [
        *("", "on", "offf", "file:", "smtp:", "smtp://", "smtp://mail:x", "smtp://mail:0", "anymail:"),
        *("smtp+plain://mail.example.org", "smtp://u:p/w@mail", "http://mail", "anymail:../x", "console:x"),
    ],
)
def test_any_other_is_refused_and_no_password_told(url: str) -> None:
    with pytest.raises(ValueError, match=r"must|needs|names|sends|has") as caught:
        parse_mail_url(url, base=BASE)
    assert "p/w" not in str(caught.value)


def test_the_sender_is_somebody_where_mail_leaves_the_machine() -> None:
    assert parse_sender("noreply@chat.example.org", name="A, B", leaves=False) == (
        '"A, B" <noreply@chat.example.org>'
    )
    assert parse_sender("Us <us@chat.de>", name="X", leaves=True) == "Us <us@chat.de>"
    for address in ("noreply@localhost", "a@example.org", "a@mail.example.com", "a@b.example"):
        with pytest.raises(ValueError, match="must be"):
            parse_sender(address, name="X", leaves=True)
    for address in ("", "nobody", "a b@chat.de", "@chat.de", "a@"):
        with pytest.raises(ValueError, match="must be"):
            parse_sender(address, name="X", leaves=False)


def test_a_link_has_a_place_for_the_token() -> None:
    assert parse_link("myapp://reset#{token}") == "myapp://reset#{token}"
    for link in (
        "https://app.example.org/reset",
        "{token}",
        "javascript:x('{token}')",
        "https://a b/{token}",
    ):
        with pytest.raises(ValueError, match="must be"):
            parse_link(link)
    assert parse_public_urls("https://chat.example.org/") == ["https://chat.example.org"]
    both = "https://chat.example.org/api/, https://example.org"
    assert parse_public_urls(both) == ["https://chat.example.org/api", "https://example.org"]
    for url in ("chat.example.org", "ftp://x", "https://x?y", "https://"):
        with pytest.raises(ValueError, match="must be"):
            parse_public_urls(url)
