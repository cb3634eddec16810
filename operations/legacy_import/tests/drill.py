"""Moves a whole town in, in processes of their own, and compares every row: `make import-drill`.

DRILL_SOURCE and DRILL_TARGET are URLs of empty databases; without them both are SQLite files in a
temporary folder. DRILL_USERS and DRILL_MESSAGES say how large, 10,000 and 1,000,000 unless told.
DRILL_TRIAL=0 leaves out the trial, which takes as long as the import.
"""

import os
import resource
import secrets
import subprocess
import sys
import tempfile
from datetime import UTC
from pathlib import Path
from time import monotonic
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
USERS, MESSAGES = (
    int(os.environ.get("DRILL_USERS", "10000")),
    int(os.environ.get("DRILL_MESSAGES", "1000000")),
)


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="import-drill-") as folder:
        source = os.environ.get("DRILL_SOURCE") or f"sqlite:///{folder}/old.sqlite3"
        target = os.environ.get("DRILL_TARGET") or f"sqlite:///{folder}/new.sqlite3"
        os.environ |= {
            "AI_MESSAGE_ENV_FILE": os.devnull,
            "AI_MESSAGE_LOGS_FOLDER": f"{folder}/logs",
            "SECRET_KEY": secrets.token_urlsafe(50),
            "DATABASE_URL": target,
            "DJANGO_SETTINGS_MODULE": "aimessage.settings",
        }
        drill(source)


def drill(source: str) -> None:
    import django

    django.setup()
    from operations.legacy_import.tests.old_backend import OldBackend
    from operations.legacy_import.tests.town import expect, fill

    print(f"{USERS:,} accounts and {MESSAGES:,} messages, {source} to {os.environ['DATABASE_URL']}")
    began = monotonic()
    old = OldBackend(source)
    fill(old, users=USERS, messages=MESSAGES)
    tell("made the old database", began)
    manage("migrate", "--verbosity=0")
    runs = [("trial", ["--dry-run"]), ("import", []), ("second import", [])]
    for title, options in runs[os.environ.get("DRILL_TRIAL") == "0" :]:
        began = monotonic()
        manage("import_backend", source, "--rejected", os.devnull, *options)
        tell(title, began)
    began = monotonic()
    mistakes = compare(expect(old), old)
    old.close()
    tell(f"compared every row, {mistakes} mistake(s)", began)
    sys.exit(1 if mistakes else 0)


def manage(*arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode not in (0, 2):  # 2: rows were refused, as some must be
        sys.exit(done.stdout)


def tell(title: str, began: float) -> None:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(
        f"{monotonic() - began:7.1f} s  {title} (all so far: {used.ru_utime + used.ru_stime:.0f} s of a"
        f" processor, the largest {used.ru_maxrss / 1024:,.0f} MB)",
        flush=True,
    )


def compare(expected: Any, old: Any) -> int:
    """How many rows are not what they must be."""
    from accounts.models import User
    from messaging.models import Conversation, Message, Participant
    from operations.legacy_import.models import Finding, Progress
    from reports.models import Report

    columns = (
        "sender_id",
        "recipient_id",
        "conversation_id",
        "content",
        "is_read",
        "parent_id",
        "created_at",
        "updated_at",
    )
    mistakes = 0
    for pk, *cells in Message.objects.order_by("pk").values_list("pk", *columns).iterator(10_000):
        times = [time.astimezone(UTC).replace(tzinfo=None) for time in cells[-2:]]
        mistakes += expected.messages.pop(pk, None) != (*cells[:-2], *times)
    mistakes += len(expected.messages)
    members: dict[str, set[int | None]] = {}
    for name, user, last in Participant.objects.values_list("conversation_id", "user_id", "last_message_id"):
        members.setdefault(name, set()).add(user)
        mistakes += last != expected.last.get((name, user))
    mistakes += members != expected.members
    mistakes += set(Conversation.objects.values_list("pk", flat=True)) != set(members)
    refused = Finding.objects.filter(outcome="refused")
    mistakes += refused.filter(table="messages").count() != expected.refused["messages"]
    for table, model in (("users", User), ("reports", Report)):
        [(count,)] = old.execute(f"SELECT count(*) FROM {table}")
        mistakes += model.objects.count() != count
    for progress in Progress.objects.exclude(table="participants"):
        [(count,)] = old.execute(f"SELECT count(*) FROM {progress.table}")
        mistakes += progress.seen != count
    return mistakes


if __name__ == "__main__":
    main()
