"""What the doctor says of the server, asked through its URL."""

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings

from accounts.models import FailedLogin
from operations.maintenance.doctor import website
from operations.maintenance.doctor.findings import Level
from operations.maintenance.tests.certificates import make_certificate
from operations.maintenance.tests.doctor_states import ERROR, OK, SKIPPED, WARNING, check


@contextmanager
def serving(replies: dict[str, tuple[int, dict[str, str], bytes]], tls: Any = None) -> Iterator[int]:
    """A server that answers each path as given; its port."""

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, headers, body = replies[self.path]
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = answer  # noqa: N815

        def log_message(self, *args: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*tls)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


HEALTHY = (200, {}, b'{"status":"healthy"}')
ROOT = (200, {}, b"{}")
TO_HTTPS = (301, {"Location": "https://localhost/"}, b"")


@pytest.mark.parametrize(
    ("health", "root", "https", "level", "words"),
    [
        (HEALTHY, ROOT, False, OK, "answers"),
        (HEALTHY, TO_HTTPS, True, OK, "answers"),
        (HEALTHY, ROOT, True, WARNING, "not redirected"),
        ((400, {}, b""), ROOT, False, ERROR, "Add localhost to AI_MESSAGE_DOMAIN"),
        ((502, {}, b""), ROOT, False, ERROR, "gunicorn does not run"),
        ((200, {}, b"<h1>Welcome to nginx</h1>"), ROOT, False, ERROR, "not as this application"),
    ],
)
def test_url(settings: Settings, health: Any, root: Any, https: bool, level: Level, words: str) -> None:
    settings.HTTPS = https
    with serving({"/health": health, "/": root}) as port:
        check(website.answers(f"http://localhost:{port}"), level, words)


def test_url_where_nobody_answers() -> None:
    with serving({}) as port:
        pass

    check(website.answers(f"http://localhost:{port}"), ERROR, "does not answer")
    check(website.answers(f"https://localhost:{port}"), ERROR, "does not answer")


def test_url_with_https(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cert, key = make_certificate(tmp_path)
    with serving({"/health": HEALTHY, "/": TO_HTTPS}, tls=(cert, key)) as port:
        url = f"https://localhost:{port}"
        check(website.certificate(url), ERROR, "Clients refuse the certificate")
        check(website.certificate(f"http://localhost:{port}"), SKIPPED)

        monkeypatch.setenv("SSL_CERT_FILE", str(cert))
        check(website.certificate(url), OK, "364 days")
        check(website.certificate(f"https://127.0.0.1:{port}"), ERROR, "mismatch")
        check(website.answers(url), ERROR, "redirected to https, for ever")
    check(website.certificate(url), ERROR, "No TLS at")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("trusted", "level", "words"),
    [(0, OK, "the client is 127.0.0.1"), (1, ERROR, "forged"), (2, ERROR, "forged")],
)
def test_a_forged_address(
    settings: Settings, live_server: Any, trusted: int, level: Level, words: str
) -> None:
    settings.TRUSTED_PROXIES = trusted

    check(website.forged_address(live_server.url), level, words)

    assert not FailedLogin.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_proxy_that_is_taken_for_every_client(live_server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(website, "_is_local", lambda url: False)

    check(website.forged_address(live_server.url), WARNING, "which is the proxy's own")


@pytest.mark.django_db
@pytest.mark.parametrize(("status", "words"), [(401, "not counted in this database"), (429, "after a 429")])
def test_a_server_with_another_database(status: int, words: str) -> None:
    with serving({"/auth/login": (status, {}, b"{}")}) as port:
        check(website.forged_address(f"http://localhost:{port}"), WARNING, words)


@pytest.mark.django_db
def test_without_a_lockout_no_address_is_stored(settings: Settings) -> None:
    settings.LOCKOUT_FAILURES = 0

    check(website.forged_address("http://localhost:1"), SKIPPED)
