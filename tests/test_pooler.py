"""Through a real PgBouncer that pools by the transaction; Debian: apt install pgbouncer."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError, ProgrammingError, connection, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg.errors import InvalidCursorName
from pytest_django import Settings

from accounts.models import User
from aimessage.db import bounds
from conftest import ApiClient
from operations.maintenance.backup.errors import BackupError
from operations.maintenance.backup.writing import write_backup
from operations.maintenance.doctor import database, examination
from operations.maintenance.doctor.findings import Level
from tests.factories import UserFactory
from tests.ports import free_port

PGBOUNCER = shutil.which("pgbouncer", path=os.pathsep.join([*os.get_exec_path(), "/usr/sbin"]))

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(PGBOUNCER is None, reason="pgbouncer is not installed"),
]


def _configuration(port: int) -> str:
    place = connection.settings_dict
    server = {"host": place["HOST"] or "/var/run/postgresql", "port": place["PORT"] or 5432}
    server |= {"user": place["USER"], "password": place["PASSWORD"]}
    words = " ".join(f"{name}='{value}'" for name, value in server.items() if value)
    return (
        f"[databases]\n* = {words}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n"
        "unix_socket_dir =\nauth_type = any\npool_mode = transaction\ndefault_pool_size = 2\n"
    )


@pytest.fixture
def pooled(tmp_path: Path) -> Iterator[Callable[..., BaseDatabaseWrapper]]:
    """`pooled()` is a connection through the pooler, and this thread's own until the test ends."""
    port = free_port()
    file = tmp_path / "pgbouncer.ini"
    file.write_text(_configuration(port))
    command = [str(PGBOUNCER), "--quiet", str(file)]
    if os.geteuid() == 0:  # which it refuses to be
        command[1:1] = ["--user=nobody"]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    direct, settings, opened = connections["default"], connections.settings["default"], []

    def connect(**changed: Any) -> BaseDatabaseWrapper:
        connections.settings["default"] = {**settings, "HOST": "127.0.0.1", "PORT": port, **changed}
        through: Any = connections.create_connection("default")
        connections["default"] = through
        opened.append(through)
        return through

    try:
        _wait_for(port)
        yield connect
    finally:
        for one in opened:
            one.close()
        connections["default"], connections.settings["default"] = direct, settings
        process.terminate()
        process.wait(10)


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise TimeoutError("pgbouncer did not start")


def _walk_while_somebody_takes_turns(through: BaseDatabaseWrapper) -> list[int]:
    other = through.copy()
    try:
        found = []
        for pk in User.objects.order_by("pk").values_list("pk", flat=True).iterator(chunk_size=1):
            found.append(pk)
            if other.get_autocommit():
                # From here on what the first row came from serves somebody else.
                other.set_autocommit(False)
                other.cursor().execute("SELECT 1")
        return found
    finally:
        other.close()


def test_long_walks_need_the_setting(pooled: Callable[..., BaseDatabaseWrapper]) -> None:
    users = [UserFactory().pk for _ in range(5)]

    with pytest.raises((ProgrammingError, InvalidCursorName), match=r"cursor .* does not exist"):
        _walk_while_somebody_takes_turns(pooled(DISABLE_SERVER_SIDE_CURSORS=False))

    assert _walk_while_somebody_takes_turns(pooled(DISABLE_SERVER_SIDE_CURSORS=True)) == users


def test_the_doctor_knows_a_pooler(pooled: Callable[..., BaseDatabaseWrapper], settings: Settings) -> None:
    settings.DATABASE_POOLER = False
    assert "pooler" not in database.connections().found

    pooled()
    assert database.connections().level is Level.ERROR
    settings.DATABASE_POOLER = True
    assert database.connections().level is Level.OK


def test_a_statement_that_takes_too_long_ends_and_leaves_no_bound_behind(
    pooled: Callable[..., BaseDatabaseWrapper], settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.DATABASE_POOLER = True
    settings.STATEMENT_SECONDS = 0.3
    through: Any = pooled()

    def run(sql: str) -> Any:
        with through.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchone()[0]

    monkeypatch.setattr(bounds._process, "serving", True)
    for _ in range(4):
        started = time.monotonic()
        with pytest.raises(OperationalError, match="statement timeout"):
            run("SELECT pg_sleep(20)")
        assert time.monotonic() - started < 5
    assert run("SHOW statement_timeout") == "300ms"
    monkeypatch.setattr(bounds._process, "serving", False)
    assert {run("SHOW statement_timeout") for _ in range(8)} == {"0"}


def test_requests_are_answered_through_it(
    pooled: Callable[..., BaseDatabaseWrapper],
    as_user: ApiClient,
    alice: User,
    bob: User,
    settings: Settings,
) -> None:
    settings.DATABASE_POOLER = True
    pooled()
    client = as_user(alice)
    body = {"recipient_id": bob.pk, "content": "100% of it's here"}

    sent = client.post("/messages", body, headers={"Idempotency-Key": "1"})
    again = client.post("/messages", body, headers={"Idempotency-Key": "1"})

    assert (sent.status_code, again.status_code, sent.json()) == (201, 201, again.json())
    for path in ("/messages", f"/messages?after={sent.json()['id'] - 1}", "/messages?search=100%25+it's"):
        assert client.get(path).json() == [sent.json()]
    assert client.get(f"/messages?before={sent.json()['id']}").json() == []
    assert client.get("/messages?skip=1").json() == []
    (conversation,) = client.get("/auth/conversations").json()
    assert conversation["last_message"] == "100% of it's here"
    assert client.put(f"/messages/{sent.json()['id']}", {"content": "new"}).status_code == 200
    assert as_user(bob).put("/messages/read-all").status_code == 200
    assert as_user(bob).get("/messages/unread/count").json() == {"unread_count": 0}
    assert client.delete(f"/messages/{sent.json()['id']}").status_code == 200


def test_the_doctor_leaves_no_setting_behind(pooled: Callable[..., BaseDatabaseWrapper]) -> None:
    through = pooled()
    with through.cursor() as cursor:
        cursor.execute("SHOW statement_timeout")
        before = cursor.fetchone()

    states = {name: finding.level for name, finding in examination.examine()}

    assert states["database"] is states["migrations"] is Level.OK
    with through.cursor() as cursor:
        cursor.execute("SHOW statement_timeout")
        assert cursor.fetchone() == before


def test_a_backup_goes_past_the_pooler(pooled: Callable[..., BaseDatabaseWrapper], tmp_path: Path) -> None:
    with pytest.raises(BackupError, match="pooler"):
        write_backup(pooled(), tmp_path / "x.dump", force=False, on_progress=lambda words: None)

    assert not (tmp_path / "x.dump").exists()
