"""What people find after the move, through the API; and a process that is killed in the middle of it."""

import os
import secrets
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

from django.conf import settings
from pytest_django import Settings
from rest_framework.test import APIClient

from accounts.models import User
from accounts.tests.test_login import log_in
from aimessage.settings import PASSWORD_HASHERS
from conftest import ApiClient
from operations.legacy_import.tests.conftest import MoveIn
from operations.legacy_import.tests.old_backend import HASH, OldBackend
from operations.legacy_import.tests.town import fill

ROOT = Path(settings.BASE_DIR)


def test_people_log_in_with_their_old_password(
    client: APIClient, old: OldBackend, move_in: MoveIn, settings: Settings
) -> None:
    settings.PASSWORD_HASHERS = PASSWORD_HASHERS
    old.user(1, "Dave")
    old.user(2, "erin", is_active=False)
    move_in(old)

    answer = log_in(client, "dave", "brass-anchor-19")

    assert answer.status_code == 200
    assert (answer.json()["user"]["id"], answer.json()["user"]["username"]) == (1, "Dave")
    assert User.objects.get(pk=1).password.startswith("bcrypt_sha256$")
    assert User.objects.get(pk=2).password == f"bcrypt${HASH}"
    assert log_in(client, "dave", "brass-anchor-19").status_code == 200
    assert log_in(client, "dave", "brass-anchor-1").status_code == 401
    assert log_in(client, "erin", "brass-anchor-19").status_code == 403


def test_conversations_are_listed_read_searched_and_go_on(
    as_user: ApiClient, old: OldBackend, move_in: MoveIn
) -> None:
    for pk in (1, 2, 3):
        old.user(pk)
    old.message(1, 1, 2, content="Lunch?", is_read=True)
    old.message(2, 2, 1, content="At noon.", parent_id=1)
    old.message(3, 3, 1, content="Who is there?", conversation_id="our team")
    old.message(4, 9, 1, content="Goodbye", is_read=True)
    move_in(old)
    alice = as_user(User.objects.get(pk=1))

    listed = alice.get("/auth/conversations").json()
    assert [(row["other_user_name"], row["last_message"], row["unread_count"]) for row in listed] == [
        ("Deleted user", "Goodbye", 0),
        ("user3", "Who is there?", 1),
        ("user2", "At noon.", 1),
    ]
    team = listed[1]["conversation_id"]
    assert [row["id"] for row in alice.get(f"/auth/conversations/{team}/messages").json()] == [3]
    assert alice.get("/messages/unread/count").json() == {"unread_count": 2}
    assert [row["id"] for row in alice.get("/messages", {"search": "NOON"}).json()] == [2]

    answer = alice.post(f"/auth/conversations/{team}/messages", {"content": "Me.", "parent_id": 3})
    assert (answer.status_code, answer.json()["recipient_id"], answer.json()["id"]) == (201, 3, 5)
    answer = alice.post("/messages", {"recipient_id": 2, "content": "Fine.", "parent_id": 2})
    assert (answer.status_code, answer.json()["conversation_id"]) == (201, "conv_1_2")
    assert alice.put("/auth/conversations/conv_1_2/read").status_code == 200
    assert alice.delete("/messages/5").status_code == 200
    assert [row["last_message"] for row in alice.get("/auth/conversations").json()] == [
        "Fine.",
        "Goodbye",
        "Who is there?",
    ]


def test_who_takes_a_deleted_accounts_place_is_not_taken_for_it(
    as_user: ApiClient, old: OldBackend, move_in: MoveIn
) -> None:
    old.user(1)
    old.message(1, 2, 1)
    move_in(old)
    new = User.objects.create_user("new", "new@example.org", "x")

    answer = as_user(User.objects.get(pk=1)).post("/messages", {"recipient_id": new.pk, "content": "Hello"})

    assert answer.status_code == 201
    assert new.pk == 3


def test_a_killed_import_goes_on(tmp_path: Path) -> None:
    """A process of its own, SIGKILL in the middle of a batch, and the same command again."""
    old = OldBackend(f"sqlite:///{tmp_path}/old.sqlite3")
    fill(old, users=300, messages=30_000)
    old.close()
    environment = {
        **os.environ,
        # Those of the tests would choose the tests' own database.
        "DJANGO_SETTINGS_MODULE": "aimessage.settings",
        "AI_MESSAGE_ENV_FILE": os.devnull,
        "AI_MESSAGE_LOGS_FOLDER": f"{tmp_path}/logs",
        "SECRET_KEY": secrets.token_urlsafe(50),
        "DATABASE_URL": f"sqlite:///{tmp_path}/new.sqlite3",
    }

    def start(*arguments: str) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "manage.py", *arguments]
        return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)

    assert start("migrate", "--verbosity=0").wait(timeout=120) == 0
    for copied in (4_000, 14_000):
        running = start("import_backend", old.url)
        deadline = time.monotonic() + 120
        while _copied(tmp_path / "new.sqlite3") < copied:
            assert running.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.005)
        running.send_signal(signal.SIGKILL)
        assert running.wait(timeout=60) == -signal.SIGKILL

    assert start("import_backend", old.url).wait(timeout=300) == 2

    check = (
        "import sys; import django; django.setup();"
        "from operations.legacy_import.tests.drill import compare;"
        "from operations.legacy_import.tests.town import expect;"
        "from operations.legacy_import.tests.old_backend import OldBackend;"
        "old = OldBackend(sys.argv[1], fresh=False); sys.exit(compare(expect(old), old))"
    )
    compared = subprocess.run([sys.executable, "-c", check, old.url], cwd=ROOT, env=environment)
    assert compared.returncode == 0


def _copied(path: Path) -> int:
    """How many messages have come into the database so far."""
    with closing(sqlite3.connect(path)) as database:
        query = "SELECT copied FROM moving_progress WHERE \"table\" = 'messages'"
        return int((database.execute(query).fetchone() or [0])[0])
