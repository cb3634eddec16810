"""Files that the environment names: certificates, and the folder for logs."""

import os
from pathlib import Path

import pytest

from aimessage.tests.started import SHOW, run
from operations.maintenance.tests.certificates import make_certificate

pytestmark = pytest.mark.once


@pytest.mark.parametrize("missing", ["cert", "key", "both"])
def test_tls_that_is_asked_for_is_served_or_nothing_is(tmp_path: Path, missing: str) -> None:
    cert, key = make_certificate(tmp_path)
    for name, path in (("cert", cert), ("key", key)):
        if missing in (name, "both"):
            path.unlink()

    done = run("-c", SHOW, folder=tmp_path, AI_MESSAGE_SSL_CERT=str(cert), AI_MESSAGE_SSL_KEY=str(key))

    assert done.returncode != 0
    assert "AI_MESSAGE_SSL_" in done.stderr.splitlines()[-1]


def test_a_key_of_another_certificate_stops_the_server(tmp_path: Path) -> None:
    cert, _ = make_certificate(tmp_path)
    (tmp_path / "other").mkdir()
    _, key = make_certificate(tmp_path / "other")

    done = run(
        *("-m", "gunicorn", "--check-config"),
        folder=tmp_path,
        AI_MESSAGE_SSL_CERT=str(cert),
        AI_MESSAGE_SSL_KEY=str(key),
    )

    assert done.returncode != 0
    assert "AI_MESSAGE_SSL_KEY" in done.stderr


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")
@pytest.mark.parametrize("closed", ["folder", "auth.log"])
def test_a_folder_for_logs_that_another_user_owns_stops_the_start(tmp_path: Path, closed: str) -> None:
    folder = tmp_path / "logs"
    folder.mkdir(mode=0o755)
    if closed == "auth.log":
        (folder / closed).touch(mode=0o600)
        folder.chmod(0o777)
    tmp_path.chmod(0o755)
    script = (
        "import os, sys; from pathlib import Path; from aimessage.files import open_log_folder;"
        "os.setgroups([]); os.setgid(65534); os.setuid(65534); open_log_folder(Path(sys.argv[1]))"
    )

    done = run("-c", script, str(folder), folder=tmp_path)

    last = done.stderr.strip().splitlines()[-1]
    assert "AI_MESSAGE_LOGS_FOLDER" in last
    assert "Permission denied" in last or "No usable temporary" in last


@pytest.mark.parametrize("standing", [False, True])
def test_what_the_server_writes_is_for_its_owner_alone(tmp_path: Path, standing: bool) -> None:
    database, logs = tmp_path / "data.sqlite3", tmp_path / "logs"
    if standing:
        database.touch(mode=0o644)
        logs.mkdir(mode=0o700)
        (logs / "auth.log").touch(mode=0o644)
    script = """
import os, stat, sys, django
os.umask(0o022)
django.setup()
import logging
from pathlib import Path
from django.db import connection
logging.getLogger("auth").info("hello")
connection.cursor().execute("CREATE TABLE t (x)")
for path in sorted(Path(sys.argv[1]).rglob("*")):
    if not path.name.startswith(".__"):
        print(path.name, oct(stat.S_IMODE(path.stat().st_mode)))
"""
    done = run(
        *("-c", script, str(tmp_path)),
        folder=logs,
        DATABASE_URL=f"sqlite:///{database}",
        DJANGO_SETTINGS_MODULE="aimessage.settings",
    )

    assert done.stdout.splitlines() == [
        "data.sqlite3 0o600",
        "data.sqlite3-shm 0o600",
        "data.sqlite3-wal 0o600",
        "logs 0o700",
        "auth.log 0o600",
    ], done.stderr
