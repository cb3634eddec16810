"""The paths of the former backend: a question and its answer in one request, and the history."""

import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import pytest
from django.db import connection
from pytest_django import Settings

from accounts.models import User
from aimessage.api.problems import Unavailable
from aimessage.jobs.running import run_due
from assistant.models import DISCLOSURE, Profile, Reply
from assistant.sentences import COULD_NOT
from assistant.services import waiting
from assistant.tests.conftest import SwitchOn, answers_to, ask, work
from assistant.tests.stub import Says, problem
from messaging.models import Message

ApiClient = Callable[..., Any]
OPENING = f"{DISCLOSURE}\n\n"


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch, db: None) -> Any:
    """One that works whenever a request looks whether its answer is there."""
    monkeypatch.setattr(waiting.time, "sleep", lambda seconds: work())
    return None


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/messages/ai", "/messages/ai/twilio"])
@pytest.mark.parametrize("extra", [{}, {"recipient_id": -1}, {"recipient_id": 999}, {"conversation_id": "x"}])
def test_the_answer_is_the_answer(
    switch_on: SwitchOn, as_user: ApiClient, alice: User, bot: Profile, worker: Any, path: str, extra: Any
) -> None:
    """B04, B05."""
    switch_on(Says("Four"))
    client = as_user(alice)
    answer = client.post(path, {"content": "Two and two?", **extra})
    assert answer.status_code == 200
    question, stored = client.get("/messages").json()
    assert answer.json() == stored
    assert (stored["sender_id"], stored["content"]) == (bot.user_id, f"{OPENING}Four")
    assert question["content"] == "Two and two?"


@pytest.mark.django_db
def test_an_answer_that_takes_longer_follows(switch_on: SwitchOn, as_user: ApiClient, alice: User) -> None:
    """B06."""
    stub = switch_on(Says("At last"), sync_seconds=1)
    client = as_user(alice)
    key = {"HTTP_IDEMPOTENCY_KEY": "once"}
    for _ in range(2):
        began = time.monotonic()
        late = client.post("/messages/ai", {"content": "Hi"}, **key)
        assert (late.status_code, late.json()["detail"]) == (
            503,
            "The answer will follow in the conversation",
        )
        assert int(late.headers["Retry-After"]) > 0
        assert 0.9 < time.monotonic() - began < 3
    work()
    answer = client.post("/messages/ai", {"content": "Hi"}, **key)
    assert (answer.status_code, answer.headers["Idempotent-Replayed"]) == (200, "true")
    assert answer.json()["content"] == f"{OPENING}At last"
    assert len(stub.requests) == 1
    assert client.post("/messages/ai", {"content": "Else"}, **key).status_code == 422
    assert Message.objects.count() == 2


@pytest.mark.django_db
def test_without_a_worker_nobody_waits_for_long(
    switch_on: SwitchOn, as_user: ApiClient, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "ANYBODY_AFTER", 0.2)
    switch_on()
    began = time.monotonic()
    assert as_user(alice).post("/messages/ai", {"content": "Hi"}).status_code == 503
    assert time.monotonic() - began < 5


@pytest.mark.django_db
def test_a_failure_is_answered_as_in_the_conversation(
    switch_on: SwitchOn, as_user: ApiClient, alice: User, worker: Any
) -> None:
    switch_on(problem(400))
    answer = as_user(alice).post("/messages/ai", {"content": "Hi"})
    assert (answer.status_code, answer.json()["content"]) == (200, f"{OPENING}{COULD_NOT}")


@pytest.mark.django_db
def test_one_that_was_cancelled_is_a_conflict(
    switch_on: SwitchOn, as_user: ApiClient, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    switch_on()
    client = as_user(alice)
    cancel = lambda seconds: client.delete(f"/assistant/replies/{Reply.objects.get().pk}")  # noqa: E731
    monkeypatch.setattr(waiting.time, "sleep", cancel)
    answer = client.post("/messages/ai", {"content": "Hi"})
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")


@pytest.mark.django_db
def test_a_used_up_allowance_is_429(
    switch_on: SwitchOn, as_user: ApiClient, alice: User, worker: Any
) -> None:
    stub = switch_on(tokens_per_day=100)
    refused = as_user(alice).post("/messages/ai", {"content": "Hi"})
    assert (refused.status_code, refused.json()["code"]) == (429, "throttled")
    assert 0 < int(refused.headers["Retry-After"]) <= 24 * 3600
    assert stub.requests == []
    assert Reply.objects.get().state == "skipped"
    assert Message.objects.filter(content="Hi").exists()


@pytest.mark.django_db
@pytest.mark.parametrize(
    "body", [{}, {"content": ""}, {"content": " \u200b"}, {"content": 7}, {"content": "x" * 20_001}]
)
def test_what_is_no_question_is_refused(
    switch_on: SwitchOn, as_user: ApiClient, alice: User, body: Any
) -> None:
    switch_on()
    refused = as_user(alice).post("/messages/ai", body)
    assert (refused.status_code, refused.json()["code"]) == (400, "invalid")
    assert not Message.objects.exists()


@pytest.mark.django_db
def test_where_all_seats_are_taken_it_is_refused_at_once(
    switch_on: SwitchOn, as_user: ApiClient, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """B49: and nothing is stored."""
    monkeypatch.setattr(waiting, "_seats", threading.BoundedSemaphore(1))
    switch_on()
    with waiting.seat():
        refused = as_user(alice).post("/messages/ai", {"content": "Hi"})
    assert (refused.status_code, refused.json()["code"]) == (503, "unavailable")
    assert int(refused.headers["Retry-After"]) > 0
    assert not Message.objects.exists()


def test_a_quarter_of_the_threads_are_seats(settings: Settings) -> None:
    with ExitStack() as taken:
        for _ in range(settings.THREADS // 4):
            taken.enter_context(waiting.seat())
        with pytest.raises(Unavailable), waiting.seat():
            pass


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_no_more_than_a_part_of_the_threads_wait(
    switch_on: SwitchOn, as_user: ApiClient, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """B49."""
    monkeypatch.setattr(waiting, "_seats", threading.BoundedSemaphore(2))
    monkeypatch.setattr(waiting, "count_workers", lambda: 1)
    switch_on(Says("Slow", delay=2), sync_seconds=20)
    clients = [as_user(alice) for _ in range(5)]
    took: list[tuple[int, float]] = []

    def post(client: Any) -> None:
        began = time.monotonic()
        answer = client.post("/messages/ai", {"content": "Hi"})
        took.append((answer.status_code, time.monotonic() - began))
        connection.close()

    threads = [threading.Thread(target=post, args=(client,)) for client in clients]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + 20
    while any(thread.is_alive() for thread in threads) and time.monotonic() < deadline:
        run_due("assistant")
        time.sleep(0.05)
    for thread in threads:
        thread.join()

    assert sorted(status for status, _ in took) == [200, 200, 503, 503, 503]
    assert Message.objects.filter(sender=alice).count() == 2
    with waiting.seat(), waiting.seat():  # they are given back
        pass


# --- The history -----------------------------------------------------------------------------------


@pytest.mark.django_db
def test_history_is_what_the_next_call_sees(
    switch_on: SwitchOn, as_user: ApiClient, alice: User, bob: User
) -> None:
    """B07."""
    stub = switch_on(Says("A1"), Says("A2"), Says("A3"))
    client = as_user(alice)
    assert client.get("/messages/history").json() == {"history": [], "message_count": 0}
    for number in (1, 2):
        ask(client, f"Q{number}")
        work()
    history = [
        {"role": "user", "content": "Q1"},
        {"role": "assistant", "content": "A1"},
        {"role": "user", "content": "Q2"},
        {"role": "assistant", "content": "A2"},
    ]
    assert client.get("/messages/history").json() == {"history": history, "message_count": 4}
    assert as_user(bob).get("/messages/history").json()["message_count"] == 0

    cleared = client.delete("/messages/history/clear")
    assert (cleared.status_code, cleared.json()) == (200, {"message": "Chat history cleared successfully"})
    assert client.get("/messages/history").json() == {"history": [], "message_count": 0}
    ask(client, "Q3")
    work()
    assert stub.said() == [("user", "Q3")]
    assert len(client.get("/messages").json()) == 6
    assert answers_to(alice) == [f"{OPENING}A1", "A2", "A3"]


@pytest.mark.django_db
def test_the_newest_of_the_history_are_shown(switch_on: SwitchOn, as_user: ApiClient, alice: User) -> None:
    """B09, smaller."""
    stub = switch_on(lambda request: Says("To " + request["messages"][-1]["content"]), history=6)
    client = as_user(alice)
    for number in range(6):
        ask(client, f"Q{number}")
        work()
    roles = [role for role, _ in stub.said()]
    assert roles == ["user", "assistant"] * 3 + ["user"]
    assert stub.said()[0] == ("user", "Q2")
    assert client.get("/messages/history").json()["message_count"] == 6
