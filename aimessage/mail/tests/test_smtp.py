"""Mail servers on loopback: with STARTTLS, with certificates that are not good, and while a worker dies."""

import asyncio
import email
import os
import signal
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from django.utils import timezone
from pytest_django import Settings

from accounts.services.mails import notify
from aimessage.jobs.tests.processes import Shop, wait_until
from aimessage.mail.models import Mail
from aimessage.mail.settings import parse_mail_url
from operations.maintenance.doctor.findings import Level
from operations.maintenance.doctor.mailing import sends
from operations.maintenance.tests.certificates import make_certificate
from tests.factories import UserFactory
from tests.ports import free_port

USER, PASSWORD = "mailer", "p@ss/word#1"
Serve = Callable[..., tuple["Inbox", int]]


class Inbox:
    """What a server took, and whether it came encrypted."""

    def __init__(self) -> None:
        self.mails: list[Any] = []
        self.encrypted: list[bool] = []
        #: Whether the next mail is taken and never answered.
        self.hangs = False

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802  aiosmtpd's
        self.mails.append(email.message_from_bytes(envelope.content))
        self.encrypted.append(session.ssl is not None)
        if self.hangs:
            self.hangs = False
            await asyncio.sleep(60)
        return "250 OK"


def let_in(server: Any, session: Any, envelope: Any, mechanism: str, sent: Any) -> AuthResult:
    is_right = (sent.login, sent.password) == (USER.encode(), PASSWORD.encode())
    return AuthResult(success=is_right, handled=False)


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts a mail server; returns its inbox and its port."""
    servers: list[Controller] = []

    def start(**options: Any) -> tuple[Inbox, int]:
        inbox, port = Inbox(), free_port()
        servers.append(Controller(inbox, hostname="127.0.0.1", port=port, **options))
        servers[-1].start()
        return inbox, port

    yield start
    for server in servers:
        server.stop(no_assert=True)


@pytest.fixture
def secure(serve: Serve, tmp_path: Path) -> tuple[Inbox, int, Path]:
    """A server that takes mail by STARTTLS and after a login alone, with a certificate that signed itself."""
    certificate, key = make_certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    login = {"auth_required": True, "authenticator": let_in}
    return *serve(tls_context=context, require_starttls=True, **login), certificate


def use(settings: Settings, url: str) -> None:
    for name, value in parse_mail_url(url, base=Path()).items():
        setattr(settings, name, value)


def address_of(port: int, password: str = "p%40ss%2Fword%231", host: str = "localhost") -> str:  # noqa: S107
    return f"smtp://{USER}:{password}@{host}:{port}"


def test_mail_goes_encrypted_and_after_a_login(
    secure: tuple[Inbox, int, Path], settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    inbox, port, certificate = secure
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    use(settings, address_of(port))

    assert sends("root@example.org").level == Level.OK
    assert inbox.encrypted == [True]

    use(settings, address_of(port, "wrong"))
    refused = sends("root@example.org")
    assert (refused.level, "535" in refused.found) == (Level.ERROR, True)
    assert len(inbox.mails) == 1


@pytest.mark.parametrize("case", ["nobody knows it", "of another name"])
def test_a_certificate_that_is_not_good_gets_no_mail(
    secure: tuple[Inbox, int, Path], settings: Settings, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    inbox, port, certificate = secure
    host = "localhost"
    if case == "of another name":
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        host = "127.0.0.1"
    use(settings, address_of(port, host=host))

    refused = sends("root@example.org")

    assert (refused.level, "SSLCertVerificationError" in refused.found) == (Level.ERROR, True)
    assert inbox.mails == []


def test_a_server_without_starttls_gets_no_mail(serve: Serve, settings: Settings) -> None:
    inbox, port = serve()
    use(settings, address_of(port))

    assert sends("root@example.org").level == Level.ERROR
    assert inbox.mails == []


def test_what_a_worker_was_sending_when_it_was_killed_goes_out_by_another(
    shop: Shop,
    serve: Serve,
) -> None:
    inbox, port = serve()
    inbox.hangs = True
    alice = UserFactory(username="alice", email_verified_at=timezone.now())
    notify(alice, "password_changed")

    def start() -> Any:
        return shop.start("--queues", "mail", AI_MESSAGE_MAIL_URL=f"smtp+plain://127.0.0.1:{port}")

    worker = start()
    wait_until(lambda: inbox.mails, "a mail")
    os.kill(worker.pid, signal.SIGKILL)
    worker.wait()
    assert Mail.objects.get().state == "waiting"
    start()
    wait_until(lambda: Mail.objects.get().state == "sent", "another try")

    # Taken twice, since nobody knew of the first time: the Message-ID says that it is one mail.
    assert len(inbox.mails) == 2
    assert len({mail["Message-ID"] for mail in inbox.mails}) == 1
