"""Every check of the doctor, in good states and bad ones."""

import json
import os
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.sessions.models import Session as AdminSession
from django.core.checks import Warning as CheckWarning
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.db.utils import NotSupportedError
from django.utils import timezone
from pytest_django import Settings

from accounts.models import FailedLogin, User
from accounts.services.second_factor import begin_totp
from operations.demo.people import ADMIN_EMAIL, PASSWORD
from operations.maintenance.doctor import configuration, database, examination, machine, routine, website
from operations.maintenance.doctor.findings import Finding, Level
from operations.maintenance.tests.certificates import make_certificate
from tests.factories import UserFactory

OK, SKIPPED, WARNING, ERROR = Level.OK, Level.SKIPPED, Level.WARNING, Level.ERROR
LOCAL = ["localhost", "127.0.0.1", "[::1]"]
PUBLIC = ["chat.example.org", *LOCAL]
STRONG = "Zk3v9QpW7nR2xT5yB8dF1gH4jL6mS0aC-uE_iO"
OTHER = "9aXc2Vb7Nm4Qw1Er8Ty5Ui0Op3As6Df_GhJkLz"


def check(finding: Finding, level: Level, words: str = "") -> None:
    assert finding.level is level, finding
    assert words in f"{finding.found} {finding.advice}"
    # Whatever is wrong comes with what to do.
    assert bool(finding.advice) == (level in {WARNING, ERROR})


# --- Settings ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("checked", "changed", "level", "words"),
    [
        ("secret_key", {"SECRET_KEY": STRONG}, OK, "38 characters"),
        (
            "secret_key",
            {"SECRET_KEY": "insecure-development-key-that-only-DEBUG=1-accepts"},
            ERROR,
            "placeholder",
        ),
        ("secret_key", {"SECRET_KEY": "django-insecure-" + STRONG}, ERROR, "placeholder"),
        ("secret_key", {"SECRET_KEY": "ChangeMe" * 5}, ERROR, "placeholder"),
        ("secret_key", {"SECRET_KEY": "abcabcabcabcabcabcabcabcabcabcabcabc"}, ERROR, "easy to guess"),
        ("jwt_keys", {"SECRET_KEY": STRONG, "JWT_KEYS": [STRONG]}, OK, "SECRET_KEY signs"),
        ("jwt_keys", {"JWT_KEYS": [STRONG, OTHER]}, OK, "2 key(s)"),
        ("jwt_keys", {"JWT_KEYS": [STRONG, "a" * 40]}, ERROR, "Key 2"),
        ("jwt_keys", {"JWT_KEYS": [STRONG, STRONG]}, WARNING, "twice"),
        ("jwt_keys", {"JWT_KEYS": [STRONG, OTHER, STRONG[::-1]]}, WARNING, "3 keys verify"),
        ("debug", {"DEBUG": False}, OK, "off"),
        ("debug", {"DEBUG": True, "ALLOWED_HOSTS": LOCAL}, WARNING, "development"),
        ("debug", {"DEBUG": True, "ALLOWED_HOSTS": PUBLIC}, ERROR, "source"),
        ("hosts", {"ALLOWED_HOSTS": PUBLIC}, OK, "chat.example.org"),
        ("hosts", {"ALLOWED_HOSTS": LOCAL}, WARNING, "AI_MESSAGE_DOMAIN"),
        ("hosts", {"ALLOWED_HOSTS": ["*", *LOCAL]}, ERROR, "not *"),
        ("https", {"HTTPS": True, "ALLOWED_HOSTS": PUBLIC}, OK, "on"),
        ("https", {"HTTPS": False, "ALLOWED_HOSTS": LOCAL}, WARNING, "laptop"),
        ("https", {"HTTPS": False, "ALLOWED_HOSTS": PUBLIC}, ERROR, "AI_MESSAGE_HTTPS=1"),
        ("proxies", {"HTTPS": False, "TRUSTED_PROXIES": 0}, OK, "0 in front"),
        ("proxies", {"HTTPS": True, "TRUSTED_PROXIES": 0}, ERROR, "for ever"),
        ("proxies", {"HTTPS": True, "TRUSTED_PROXIES": 1}, WARNING, "listens on"),
        ("limits", {"THROTTLE_RATES": {"login": (60, 60)}, "LOCKOUT_FAILURES": 5}, OK, "on"),
        ("limits", {"THROTTLE_RATES": {"login": None}, "LOCKOUT_FAILURES": 5}, WARNING, "_THROTTLE_LOGIN"),
        ("limits", {"THROTTLE_RATES": {}, "LOCKOUT_FAILURES": 0}, WARNING, "_LOCKOUT_FAILURES"),
        ("system_checks", {"CORS_ALLOWED_ORIGINS": ["app.example.org"]}, WARNING, "aimessage.E002"),
    ],
)
def test_settings(
    settings: Settings, checked: str, changed: dict[str, Any], level: Level, words: str
) -> None:
    for name, value in changed.items():
        setattr(settings, name, value)

    finding = getattr(configuration, checked)()

    check(finding, level, words)
    for key in [settings.SECRET_KEY, *settings.JWT_KEYS]:
        assert key not in f"{finding}"


def test_a_proxy_alone_before_a_local_port_is_fine(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.HTTPS, settings.TRUSTED_PROXIES = True, 1
    monkeypatch.setenv("AI_MESSAGE_HOST", "127.0.0.1")

    check(configuration.proxies(), OK, "1 in front")


def test_own_tls_needs_no_proxy(settings: Settings, tmp_path: Path) -> None:
    settings.HTTPS, settings.TRUSTED_PROXIES = True, 0
    settings.SSL_CERT, settings.SSL_KEY = make_certificate(tmp_path)

    check(configuration.proxies(), OK)


def test_system_checks_without_https_tell_only_what_https_does_not(settings: Settings) -> None:
    settings.HTTPS = settings.SECURE_SSL_REDIRECT = settings.SESSION_COOKIE_SECURE = False
    settings.SECRET_KEY = STRONG * 2

    check(configuration.system_checks(), OK)


def test_a_system_check_without_a_hint_has_advice_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(configuration, "run_checks", lambda **kwargs: [CheckWarning("Odd.", id="x.W1")])

    check(configuration.system_checks(), WARNING, "x.W1: Odd. See: check --deploy")


@pytest.mark.parametrize(
    ("mode", "level", "words"),
    [(None, OK, "no file"), (0o600, OK, "closed"), (0o640, OK, "closed"), (0o644, ERROR, "chmod o-rwx")],
)
def test_env_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, mode: int | None, level: Level, words: str
) -> None:
    path = tmp_path / "env"
    if mode is not None:
        path.touch()
        path.chmod(mode)
    monkeypatch.setenv("AI_MESSAGE_ENV_FILE", str(path))

    check(configuration.env_file(), level, words)


# --- The machine -------------------------------------------------------------------------------


def test_there_may_be_no_log_folder(settings: Settings, tmp_path: Path) -> None:
    settings.LOGS_FOLDER = None

    check(machine.log_folder(), OK, "standard error")
    check(machine.disk_space(tmp_path / "nowhere"), OK, "")


def test_log_folder(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.LOGS_FOLDER = tmp_path
    (tmp_path / "auth.log").touch()
    check(machine.log_folder(), OK, str(tmp_path))

    monkeypatch.setattr(os, "access", lambda path, mode: path == tmp_path)
    check(machine.log_folder(), ERROR, "auth.log")
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    check(machine.log_folder(), ERROR, f"{tmp_path} cannot be written to")


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a file away")
def test_a_log_file_of_another_user_is_told_to_root(settings: Settings, tmp_path: Path) -> None:
    settings.LOGS_FOLDER = tmp_path
    (tmp_path / "auth.log").touch()
    os.chown(tmp_path / "auth.log", 12345, 12345)

    check(machine.log_folder(), WARNING, "auth.log")


@pytest.mark.parametrize(
    ("free", "level", "words"),
    [(5e9, OK, "5.0 GB"), (0.9e9, WARNING, "0.9 GB"), (0.1e9, ERROR, "Make room at once")],
)
def test_disk_space(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, free: float, level: Level, words: str
) -> None:
    def usage(folder: Path) -> Any:
        return SimpleNamespace(free=free if folder == tmp_path else 6e9)

    monkeypatch.setattr(machine.shutil, "disk_usage", usage)

    check(machine.disk_space(tmp_path), level, words)
    check(machine.disk_space(tmp_path / "missing"), OK, "6.0 GB")


@pytest.mark.parametrize(
    ("days", "level", "words"),
    [(365, OK, "364 days"), (22, OK, "21 days"), (20, WARNING, "19 days"), (-1, ERROR, "ran out")],
)
def test_certificate_by_the_time_left(
    settings: Settings, tmp_path: Path, time_machine: Any, days: int, level: Level, words: str
) -> None:
    settings.ALLOWED_HOSTS = LOCAL
    settings.SSL_CERT, settings.SSL_KEY = make_certificate(tmp_path)
    time_machine.move_to(timezone.now() + timedelta(days=365 - days, minutes=1), tick=True)

    check(machine.certificate(), level, words)


def test_certificate_files(settings: Settings, tmp_path: Path) -> None:
    settings.SSL_CERT, settings.SSL_KEY = tmp_path / "none.pem", tmp_path / "none.key"
    check(machine.certificate(), OK, "none here")

    cert, key = make_certificate(tmp_path)
    settings.SSL_CERT = cert
    check(machine.certificate(), ERROR, "none.key is missing")

    settings.SSL_KEY = make_certificate(tmp_path, days=30)[1]
    check(machine.certificate(), ERROR, "KEY_VALUES_MISMATCH")

    settings.SSL_KEY = tmp_path / "broken.key"
    settings.SSL_KEY.touch(0o600)
    check(machine.certificate(), ERROR, "cannot be served")

    key.chmod(0o644)
    settings.SSL_KEY = key
    check(machine.certificate(), ERROR, "chmod o-rwx")


@pytest.mark.parametrize(
    ("names", "level", "words"),
    [
        ("chat.example.org", OK, ""),
        ("example.net,Chat.Example.Org", OK, ""),
        ("*.example.org", OK, ""),
        ("*.chat.example.org", WARNING, "does not name chat.example.org"),
        ("example.org", WARNING, "does not name chat.example.org"),
    ],
)
def test_certificate_by_names(
    settings: Settings, tmp_path: Path, names: str, level: Level, words: str
) -> None:
    settings.ALLOWED_HOSTS = PUBLIC
    settings.SSL_CERT, settings.SSL_KEY = make_certificate(tmp_path, names=names)

    check(machine.certificate(), level, words)


@pytest.mark.parametrize(
    ("issuer", "alone", "level"),
    [("other", True, WARNING), ("other", False, OK), ("self", True, OK)],
)
def test_a_certificate_without_that_of_its_issuer(issuer: str, alone: bool, level: Level) -> None:
    served = {"notAfter": "Jan  1 00:00:00 2100 GMT", "subject": "self", "issuer": issuer}

    check(machine.check_certificate(served, [], alone=alone), level, "fullchain" if level is WARNING else "")


def test_a_key_with_a_password_does_not_ask_for_it(settings: Settings, tmp_path: Path) -> None:
    settings.SSL_CERT, key = make_certificate(tmp_path)
    settings.SSL_KEY = tmp_path / "locked.key"
    os.system(f"openssl ec -in {key} -aes128 -passout pass:secret -out {settings.SSL_KEY} 2> /dev/null")  # noqa: S605
    settings.SSL_KEY.chmod(0o600)

    check(machine.certificate(), ERROR, "without a password")


def test_static_files(settings: Settings, tmp_path: Path) -> None:
    settings.STATIC_ROOT = tmp_path
    check(machine.static_files(), ERROR, "collectstatic")

    for name in machine.STATIC_FILES:
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).touch()
    check(machine.static_files(), OK)


# --- The database ------------------------------------------------------------------------------


@pytest.mark.django_db
def test_the_database_of_the_tests_is_in_order() -> None:
    states = {name: finding.level for name, finding in examination.examine()}

    asked = ["database", "migrations", "durability", "encoding", "collation", "connections", "clock"]
    asked += ["indexes", "journal", "file system", "shared counts", "demo accounts", "sweep"]
    for name in asked:
        # A database in memory has no journal, and lies nowhere.
        if connection.vendor == "postgresql" or name not in {"journal", "file system"}:
            assert states[name] in {OK, SKIPPED}, name
    assert (states["collation"] is SKIPPED) == (connection.vendor == "sqlite")
    assert states["database"] is states["migrations"] is OK


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Lets the database be of that kind, and answer what is asked by a part of the question."""

    def answer(vendor: str, **replies: Any) -> None:
        def rows(query: str) -> list[Any]:
            (reply,) = (reply for part, reply in replies.items() if part in query)
            return reply if isinstance(reply, list) else [(reply,)]

        place = {"NAME": "/tmp/x.sqlite3"}  # noqa: S108
        fake = SimpleNamespace(vendor=vendor, settings_dict=place, behind_pooler=lambda: False)
        monkeypatch.setattr(database, "connection", fake)
        monkeypatch.setattr(database, "_rows", rows)

    return answer


GOOD = {"fsync": "on", "full_page_writes": "on", "synchronous_commit": "on"}
SLOTS = {"superuser_reserved_connections": "3"}


@pytest.mark.parametrize(
    ("checked", "replies", "level", "words"),
    [
        ("durability", GOOD, OK, ""),
        ("durability", {**GOOD, "synchronous_commit": "local"}, OK, ""),
        ("durability", {**GOOD, "fsync": "off"}, ERROR, "fsync=off"),
        ("durability", {**GOOD, "synchronous_commit": "off"}, ERROR, "synchronous_commit=off"),
        ("durability", {**GOOD, "full_page_writes": "off"}, ERROR, "full_page_writes=off"),
        ("encoding", {"server_encoding": "UTF8"}, OK, ""),
        ("encoding", {"server_encoding": "SQL_ASCII"}, ERROR, "SQL_ASCII"),
        ("collation", {"und-x-icu": 1}, OK, ""),
        ("collation", {"und-x-icu": 0}, ERROR, "ICU"),
        ("connections", {**SLOTS, "max_connections": "100"}, OK, "up to 32"),
        ("connections", {**SLOTS, "max_connections": "60"}, WARNING, "second machine"),
        ("connections", {**SLOTS, "max_connections": "30"}, ERROR, "PgBouncer"),
        ("indexes", {"indisvalid": []}, OK, ""),
        ("indexes", {"indisvalid": [("message_keyed",)]}, ERROR, "DROP INDEX message_keyed"),
    ],
)
def test_postgresql(
    answers: Callable[..., None], checked: str, replies: dict[str, Any], level: Level, words: str
) -> None:
    answers("postgresql", **replies)
    check(getattr(database, checked)(), level, words)

    answers("sqlite")
    check(getattr(database, checked)(), SKIPPED)


@pytest.mark.parametrize(
    ("apart", "level"), [(0, OK), (-0.5, OK), (2, WARNING), (-2, WARNING), (31, ERROR), (-3600, ERROR)]
)
def test_clock(answers: Callable[..., None], apart: float, level: Level) -> None:
    answers("postgresql", clock_timestamp=timezone.now().timestamp() + apart)

    check(database.clock(), level, f"{abs(apart):.1f} s apart")


@pytest.mark.parametrize(("mode", "level"), [("wal", OK), ("delete", ERROR), ("memory", ERROR)])
def test_journal(answers: Callable[..., None], mode: str, level: Level) -> None:
    answers("sqlite", journal_mode=mode)
    check(database.journal(), level)

    answers("postgresql")
    check(database.journal(), SKIPPED)


@pytest.mark.parametrize(
    ("mounts", "level", "words"),
    [
        ("/dev/a / ext4 rw 0 0\n", OK, "ext4"),
        ("/dev/a / ext4 rw 0 0\nserver:/x /tmp nfs4 rw 0 0\n", ERROR, "nfs4"),
        ("server:/x / nfs4 rw 0 0\ntmpfs /tmp tmpfs rw 0 0\n", OK, "tmpfs"),
        ("/dev/a / ext4 rw 0 0\nserver:/x /tm nfs4 rw 0 0\n", OK, "ext4"),
        ("x@y: /tmp fuse.sshfs rw 0 0\n", ERROR, "sshfs"),
        ("", OK, "local"),
    ],
)
def test_file_system(
    answers: Callable[..., None], tmp_path: Path, mounts: str, level: Level, words: str
) -> None:
    (tmp_path / "mounts").write_text(mounts)
    answers("sqlite")
    check(database.file_system(tmp_path / "mounts"), level, words)

    answers("postgresql")
    check(database.file_system(), SKIPPED)


def test_a_folder_that_sqlite_cannot_write_to(
    answers: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    answers("sqlite")
    monkeypatch.setattr(os, "access", lambda path, mode: False)

    check(database.file_system(), ERROR, "cannot be written to")


@pytest.mark.parametrize("vendor", ["sqlite", "postgresql"])
def test_shared_counts(answers: Callable[..., None], vendor: str) -> None:
    answers(vendor)

    check(database.shared_counts(), OK, "PostgreSQL" if vendor == "sqlite" else "not in the cache")


@pytest.mark.django_db
def test_migrations() -> None:
    check(database.migrations(), OK)

    recorder = MigrationRecorder(connection)
    recorder.record_applied("messaging", "0999_future")
    check(database.migrations(), ERROR, "messaging.0999_future is unknown")

    ((_, newest),) = MigrationLoader(connection).graph.leaf_nodes("messaging")
    recorder.record_unapplied("messaging", newest)
    check(database.migrations(), ERROR, f"1 to do: messaging.{newest} manage.py migrate")


@pytest.mark.postgres
@pytest.mark.django_db
def test_settings_of_a_session_and_a_half_built_index_are_seen_for_real() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL synchronous_commit = off")
        cursor.execute("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'message_keyed'::regclass")

    check(database.durability(), ERROR, "synchronous_commit=off")
    check(database.indexes(), ERROR, "message_keyed")


@pytest.fixture
def elsewhere(django_db_blocker: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """A database that is not there."""
    lost = connection.copy()
    name = {"NAME": str(tmp_path / "missing" / "x")} if connection.vendor == "sqlite" else {"PORT": 1}
    lost.settings_dict = {**connection.settings_dict, **name, "PASSWORD": "s3cret"}
    for module in (database, machine):
        monkeypatch.setattr(module, "connection", lost)
    with django_db_blocker.unblock():
        yield


def test_without_a_database_the_other_checks_go_on(elsewhere: None) -> None:
    findings = dict(examination.examine())

    check(findings["database"], ERROR, "does not answer")
    check(findings["hosts"], OK)
    for name in ("migrations", "collation", "superuser", "sweep"):
        check(findings[name], SKIPPED, "does not answer")
    assert "s3cret" not in f"{findings}"


@pytest.mark.django_db
def test_a_server_that_is_too_old(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise NotSupportedError("PostgreSQL 14 or later is required (found 12.1).")

    monkeypatch.setattr(connection._connections["default"], "ensure_connection", refuse)

    check(database.reachable(), ERROR, "PostgreSQL 14 or later is required (found 12.1). Upgrade")


def test_a_check_that_fails_itself_is_a_finding() -> None:
    def check_that_breaks() -> Finding:
        raise RuntimeError("with the password s3cret in it")

    finding = examination._run(check_that_breaks)

    check(finding, ERROR, "RuntimeError")
    assert "s3cret" not in f"{finding}"


# --- What somebody has to do -------------------------------------------------------------------


@pytest.mark.django_db
def test_superuser() -> None:
    check(routine.superuser(), WARNING, "createsuperuser")
    user = UserFactory(is_superuser=True)
    check(routine.superuser(), OK, "1 active")
    User.objects.filter(pk=user.pk).update(is_active=False)
    check(routine.superuser(), WARNING)


@pytest.mark.django_db
def test_demo_accounts(settings: Settings) -> None:
    check(routine.demo_accounts(), OK)
    UserFactory(is_superuser=True, password=PASSWORD)
    check(routine.demo_accounts(), OK)

    user = UserFactory(email=ADMIN_EMAIL, is_superuser=True, password=PASSWORD)
    settings.ALLOWED_HOSTS = LOCAL
    check(routine.demo_accounts(), WARNING, "make demo")
    settings.ALLOWED_HOSTS = PUBLIC
    check(routine.demo_accounts(), ERROR)

    user.set_password("another-password-42")
    user.save()
    check(routine.demo_accounts(), OK)


@pytest.mark.django_db
def test_sealed_secrets(settings: Settings) -> None:
    check(routine.sealed_secrets(), OK)
    begin_totp(UserFactory())
    check(routine.sealed_secrets(), OK)

    settings.ENCRYPTION_KEYS = [STRONG]
    check(routine.sealed_secrets(), ERROR, "manage.py reseal")
    begin_totp(UserFactory())
    check(routine.sealed_secrets(), ERROR)


@pytest.mark.django_db
@pytest.mark.parametrize(("days", "level"), [(1.9, OK), (2.1, WARNING)])
def test_swept(days: float, level: Level) -> None:
    expired = timezone.now() - timedelta(days=days)
    AdminSession.objects.create(session_key="x", session_data="", expire_date=expired)

    check(routine.swept(), level, "manage.py sweep" if level is WARNING else "")


def test_backups(tmp_path: Path) -> None:
    check(routine.backups(tmp_path / "missing"), WARNING, "--backups")
    (tmp_path / "other.dump").touch()
    (tmp_path / "aimessage-20260101T000000Z.dump").touch()  # cut off: it has no manifest
    check(routine.backups(tmp_path), WARNING, "There are no backups")

    for day in (2, 3):
        path = tmp_path / f"aimessage-2026010{day}T000000Z.dump"
        path.touch()
        path.with_name(f"{path.name}.json").touch()
    check(routine.backups(tmp_path), OK, "20260103")

    old = (timezone.now() - timedelta(days=3)).timestamp()
    os.utime(path, (old, old))
    check(routine.backups(tmp_path), WARNING, "72 hours old")


# --- The server through its URL ----------------------------------------------------------------


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


# --- The command -------------------------------------------------------------------------------


@pytest.fixture
def doctor(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, str]]:
    """Runs the command over these levels: its status, and what it prints."""

    def run(*levels: Level, **options: Any) -> tuple[int, str]:
        findings = [
            (f"check{number}", Finding(level, "[bold]found", "do")) for number, level in enumerate(levels)
        ]
        monkeypatch.setattr(
            "operations.maintenance.management.commands.doctor.examine", lambda **kwargs: iter(findings)
        )
        out = StringIO()
        try:
            call_command("doctor", stdout=out, **options)
        except SystemExit as end:
            return int(str(end.code)), out.getvalue()
        return 0, out.getvalue()

    return run


@pytest.mark.parametrize(
    ("levels", "status"), [([OK], 0), ([OK, SKIPPED, WARNING], 0), ([OK, ERROR, WARNING], 1), ([], 0)]
)
def test_the_status_is_1_where_there_is_an_error(
    doctor: Callable[..., tuple[int, str]], levels: list[Level], status: int
) -> None:
    assert doctor(*levels)[0] == status
    assert doctor(*levels, json=True)[0] == status


def test_the_table_shows_everything(doctor: Callable[..., tuple[int, str]]) -> None:
    _, table = doctor(OK, WARNING)

    for part in ("check0", "check1", "warning", "[bold]found", "do", "0 error, 1 warning, 0 skipped, 1 ok"):
        assert part in table


def test_json_shows_the_same(doctor: Callable[..., tuple[int, str]]) -> None:
    _, printed = doctor(ERROR, json=True)

    assert json.loads(printed) == [
        {"check": "check0", "state": "error", "found": "[bold]found", "advice": "do"}
    ]


@pytest.mark.parametrize(
    "url", ["chat.example.org", "ftp://a.example", "https://", "http://a:x", "http://[", ""]
)
def test_a_url_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(CommandError, match="--url"):
        call_command("doctor", url=url)


@pytest.mark.django_db
def test_the_whole_prints_no_secret(settings: Settings) -> None:
    settings.JWT_KEYS = [STRONG, OTHER]
    out = StringIO()
    with pytest.raises(SystemExit):
        call_command("doctor", stdout=out, url="http://ann:s3cret@127.0.0.1:1/path")

    for secret in (settings.SECRET_KEY, STRONG, OTHER, "s3cret"):
        assert secret not in out.getvalue()
