"""The pages of docs/, typed: beside README's server, or on databases of their own."""

import re
import shutil
from pathlib import Path

import pytest

from operations.legacy_import.tests.old_backend import OldBackend
from tests.pages.typist import ROOT, Clone, blocks

pytestmark = pytest.mark.waits

TOKEN = """
TOKEN=$(curl -sS http://localhost:8000/auth/login -H 'Content-Type: application/json' \\
  -d '{"username": "alice", "password": "violet-tractor-42"}' \\
  | python3 -c 'import json, sys; print(json.load(sys.stdin)["access_token"])')
"""
#: Typed by others: tools/drill/walk, as root in a fresh Debian.
ELSEWHERE = {"docs/operations.md"}
TYPED = {
    "README.md",
    "docs/app-developers.md",
    "docs/assistant.md",
    "docs/backup.md",
    "docs/channels.md",
    "docs/doctor.md",
    "docs/events.md",
    "docs/moving-in.md",
    "docs/watching.md",
}


def page(name: str) -> str:
    return "\n".join(blocks(name))


def test_every_page_that_tells_to_type_is_typed() -> None:
    pages = ["README.md", *(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))]

    assert {name for name in pages if blocks(name)} == TYPED | ELSEWHERE


def test_app_developers(clone: Clone, people: None) -> None:
    shown = clone.type(clone.adapt(page("docs/app-developers.md")))

    assert '"username":"alice"' in shown
    assert '"content":"Noon?"' in shown
    assert re.search(r'link: <.*>; rel="next"', shown, re.IGNORECASE)


def test_assistant(clone: Clone, people: None) -> None:
    """On a server that has none."""
    shown = clone.type(
        clone.adapt(TOKEN + page("docs/assistant.md"), [("doctor  ", "doctor || [ $? = 1 ]  ")])
    )

    assert "migrations" in shown
    assert '"code":"not_found"' in shown


def test_channels(clone: Clone, people: None) -> None:
    """On a server that has no account at Twilio."""
    doctor, url = "https://chat.example.org/api\n", "http://localhost:8000"
    changes = [(doctor, f"{url} || [ $? = 1 ]\n"), ("https://chat.example.org/api", url)]

    shown = clone.type(clone.adapt(TOKEN + page("docs/channels.md"), changes))

    assert "migrations" in shown
    assert '"code":"not_found"' in shown


def test_events(clone: Clone, people: None) -> None:
    stream = "http://127.0.0.1:8000/events/stream"
    changes = [("curl -N", "timeout 5 curl -N"), (stream, f"{stream} || [ $? = 124 ]")]

    assert "event: hello" in clone.type(clone.adapt(TOKEN + page("docs/events.md"), changes))


def test_doctor(clone: Clone, people: None) -> None:
    # What it finds amiss with a server to try things on is an error, and its status 1.
    fails = "|| [ $? = 1 ]"
    url = ("--url https://chat.example.org", f"--url http://localhost:8000 {fails}")

    shown = clone.type(clone.adapt(page("docs/doctor.md"), [("doctor\n", f"doctor {fails}\n"), url]))

    assert shown.count("migrations") == 2
    assert "url" in shown


def test_watching(clone: Clone, people: None) -> None:
    metrics, rules = blocks("docs/watching.md")

    assert "aimessage_http_requests_total" in clone.type(clone.adapt(metrics))
    if shutil.which("promtool") is None:
        pytest.skip("needs promtool")
    assert "SUCCESS" in clone.type(rules)


def test_backup(clone: Clone, people: None, tmp_path: Path) -> None:
    into = f"DATABASE_URL=sqlite:///{tmp_path}/restored.sqlite3"
    drill = f"DATABASE_URL=sqlite:///{tmp_path}/drill.sqlite3"
    changes = [
        ("/var/backups/aimessage/aimessage-20260102T030405Z.dump", "before-upgrade.dump"),
        ("/var/backups", str(tmp_path)),
        ("systemctl stop 'aimessage*'", f"export {into}"),
        ("createdb aimessage_drill", "unset DATABASE_URL"),
        ("dropdb aimessage_drill", ":"),
        ("DATABASE_URL=postgresql://…/aimessage_drill", drill),
        ("*.dump", "*.sqlite3"),
        ("manage.py doctor", "manage.py doctor ||:"),
    ]

    shown = clone.type(clone.adapt(page("docs/backup.md"), changes))

    count, time = shown.splitlines()[-1].split(" ", 1)
    assert int(count) >= 2
    assert re.match(r"20\d\d-", time)


def test_moving_in(clone: Clone, people: None, tmp_path: Path) -> None:
    old = OldBackend(f"sqlite:///{tmp_path}/old.sqlite3")
    old.user(1, "you")
    old.user(2, "bo")
    old.message(1, 1, 2)
    old.commit()
    old.close()
    new = f"export DATABASE_URL=sqlite:///{tmp_path}/new.sqlite3\n"
    source = f"sqlite+aiosqlite:///{tmp_path}/old.sqlite3"
    changes = [("postgresql://user:password@host:5432/backend", source), ("OLD_DATABASE_URL", source)]
    *before, login = blocks("docs/moving-in.md")

    shown = clone.type(clone.adapt(new + "\n".join(before), changes))

    assert re.search(r"^2 1 0$", shown, re.MULTILINE)
    names = [('"you"', '"alice"'), ('"…"', '"violet-tractor-42"'), ("Bearer …", "Bearer $TOKEN")]
    assert "access_token" in clone.type(clone.adapt(TOKEN + login, names))
