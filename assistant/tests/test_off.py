"""Without settings there is no assistant, and nothing of what it takes (B03)."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rest_framework.test import APIClient

from accounts.models import User
from assistant.models import Profile, Reply
from messaging.models import Message
from messaging.services.messages import send_message

ROOT = Path(__file__).resolve().parents[2]
ApiClient = Callable[..., Any]

PATHS = [
    ("POST", "/messages/ai"),
    ("POST", "/messages/ai/twilio"),
    ("GET", "/messages/history"),
    ("DELETE", "/messages/history/clear"),
    ("GET", "/assistant"),
    ("PATCH", "/assistant"),
    ("GET", "/assistant/replies"),
    ("GET", "/assistant/replies/1"),
    ("DELETE", "/assistant/replies/1"),
    ("POST", "/assistant/replies/1/retry"),
    ("POST", "/assistant/handoff"),
    ("DELETE", "/assistant/handoff"),
]


@pytest.mark.django_db
@pytest.mark.parametrize(("method", "path"), PATHS)
def test_no_path_is_there(as_user: ApiClient, client: APIClient, alice: User, method: str, path: str) -> None:
    for one in (as_user(alice), client):
        answer = one.generic(method, path, "{}", content_type="application/json")
        assert (answer.status_code, answer.json()["detail"]) == (404, "Not found")


@pytest.mark.django_db
def test_its_ids_are_nobodys(as_user: ApiClient, alice: User) -> None:
    client = as_user(alice)
    sent = client.post("/messages", {"recipient_id": -1, "content": "Hi"})
    assert (sent.status_code, sent.json()["detail"]) == (404, "Recipient not found")
    conversation = f"conv_-1_{alice.pk}"
    for recipient in (-1, alice.pk + 1):
        body = {"recipient_id": recipient, "content": "Hi", "conversation_id": conversation}
        assert client.post("/messages", body).status_code == 404
    assert client.get(f"/auth/conversations/{conversation}/messages").status_code == 404
    found = client.get("/messages?with_user=-1")
    assert (found.status_code, found.json()) == (200, [])
    assert client.post("/auth/blocks", {"user_id": -1}).status_code == 404
    assert client.delete("/auth/blocks/-1").status_code == 404
    assert not Profile.objects.exists()
    assert not User.objects.exclude(pk=alice.pk).exists()


@pytest.mark.django_db
def test_nobody_takes_its_old_conversations_for_something_else(
    as_user: ApiClient, alice: User, bob: User, carol: User
) -> None:
    for path in (f"conv_-1_{alice.pk}", f"conv_-1_{bob.pk}", f"conv_-1_{carol.pk}"):
        body = {"recipient_id": bob.pk, "content": "Mine now"}
        assert as_user(alice).post(f"/auth/conversations/{path}/messages", body).status_code == 404
    assert not Message.objects.exists()


@pytest.mark.django_db
def test_an_account_of_before_is_not_to_be_found(as_user: ApiClient, alice: User, bot: Profile) -> None:
    client = as_user(alice)
    sent = client.post("/messages", {"recipient_id": bot.user_id, "content": "Hi"})
    assert (sent.status_code, sent.json()["detail"]) == (404, "Recipient not found")
    assert client.get("/auth/directory?search=assistant").json() == []
    assert client.get(f"/auth/people?ids={bot.user_id}").json() == []
    assert not Reply.objects.exists()


@pytest.mark.django_db
def test_between_two_people_it_costs_nothing(alice: User, bob: User, django_assert_num_queries: Any) -> None:
    send_message(alice, recipient_id=bob.pk, content="Hi")
    with django_assert_num_queries(6):  # a savepoint's two, and four of sending
        send_message(alice, recipient_id=bob.pk, content="Hi")


IMPORTED = """
import os, sys, django
os.environ["DJANGO_SETTINGS_MODULE"] = "aimessage.settings"
django.setup()
import aimessage.urls, aimessage.wsgi
from django.test import Client
Client().get("/health")
from aimessage.jobs import working
import assistant.jobs
assert "assistant.services.answering" in sys.modules
print([name for name in sys.modules if name.split(".")[0] in ("openai", "httpx2", "httpx", "anthropic")])
"""


@pytest.mark.parametrize("on", [False, True])
def test_the_providers_library_is_imported_by_no_server(tmp_path: Path, on: bool) -> None:
    environment = {
        "PATH": os.environ["PATH"],
        "AI_MESSAGE_ENV_FILE": os.devnull,
        "AI_MESSAGE_LOGS_FOLDER": "-",
        "SECRET_KEY": "a-long-text-that-stands-for-a-random-key-0123456789",
        "DATABASE_URL": f"sqlite:///{tmp_path / 'db.sqlite3'}",
    }
    if on:
        environment |= {"AI_MESSAGE_ASSISTANT_MODEL": "m", "AI_MESSAGE_ASSISTANT_URL": "http://127.0.0.1:9"}
    done = subprocess.run(
        [sys.executable, "-c", IMPORTED],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.strip() == "[]", done.stderr


def test_one_module_alone_knows_the_dialect() -> None:
    knowing = {
        path.relative_to(ROOT).as_posix()
        for folder in ("aimessage", "accounts", "messaging", "reports", "assistant", "operations")
        for path in (ROOT / folder).rglob("*.py")
        if "tests" not in path.parts and "import openai" in path.read_text()
    }
    assert knowing == {"assistant/provider.py"}
