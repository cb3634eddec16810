from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import pytest
from pytest_django import Settings
from rest_framework.test import APIClient

from accounts.models import User
from aimessage.jobs.models import Job
from aimessage.jobs.running import run_due
from assistant import provider
from assistant.account import get_profile
from assistant.models import Profile, Reply, Thread
from assistant.services import answering
from assistant.tests import questions
from assistant.tests.stub import Behaviour, Chooser, Stub
from assistant.tools import TOOLS
from messaging.models import Message

SwitchOn = Callable[..., Stub]


@pytest.fixture
def switch_on(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[SwitchOn]:
    """`stub = switch_on(Says("Hi"), history=10)`: there is an assistant, and a provider that answers so."""
    monkeypatch.setattr(provider, "memory", provider._Memory())
    monkeypatch.setattr(answering, "DELAYS", (0, 0, 0, 0))
    with ExitStack() as stack:

        def start(*behaviours: Behaviour | Chooser, **changes: Any) -> Stub:
            stub = stack.enter_context(Stub(*behaviours))
            values = {"model": "gpt-x", "url": stub.url, "key": "sk-secret-key", "on": True, **changes}
            settings.ASSISTANT = replace(settings.ASSISTANT, **values)
            return stub

        yield start


@pytest.fixture
def no_tools() -> Iterator[dict[str, Any]]:
    """The registry, empty, for a test's own tools, which go with it."""
    kept = dict(TOOLS)
    TOOLS.clear()
    yield TOOLS
    TOOLS.clear()
    TOOLS.update(kept)


@pytest.fixture
def bot(db: None) -> Profile:
    return get_profile()


@pytest.fixture
def question(assistant_on: Any, alice: User) -> Reply:
    """A question of alice's, which nobody answers."""
    return questions.ask(alice)


@pytest.fixture
def sharing(question: Reply) -> Reply:
    """The same, where she lets the assistant search her messages."""
    Thread.objects.update_or_create(
        user=question.asker, profile=question.profile, defaults={"share_messages": True}
    )
    return question


def work(limit: int = 1000) -> int:
    """Does what a worker would do now; returns how many jobs there were."""
    return run_due("assistant", limit=limit)


def ask(client: APIClient, content: str = "Hi", **fields: Any) -> Reply:
    """The reply that a question is owed."""
    answer = client.post("/messages", {"recipient_id": -1, "content": content, **fields})
    assert answer.status_code == 201, answer.json()
    return Reply.objects.get(question=answer.json()["id"])


def answers_to(user: User) -> list[str]:
    """What the assistant wrote to `user`, in order."""
    return list(
        Message.objects.filter(sender__kind="bot", recipient=user)
        .order_by("pk")
        .values_list("content", flat=True)
    )


def waiting_jobs() -> int:
    return Job.objects.filter(queue_name="assistant", status="READY").count()
