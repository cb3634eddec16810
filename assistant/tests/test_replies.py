"""Replies as their askers see them: while they are written, and ended by their wish."""

import json
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection

from accounts.models import User
from aimessage.events import streams
from aimessage.events.hub import Hub
from aimessage.events.tests.test_streams import Wire, look, opened
from aimessage.jobs.running import run_due
from assistant.models import DISCLOSURE, Profile, Reply
from assistant.services import writing
from assistant.services.claiming import LeaseLost, claim
from assistant.services.finishing import finish
from assistant.services.replies import cancel_reply
from assistant.services.writing import Writer
from assistant.tests.conftest import SwitchOn, answers_to, ask, waiting_jobs, work
from assistant.tests.stub import Says, problem
from messaging.models import Message
from messaging.services.messages import delete_message

ApiClient = Callable[..., Any]
OPENING = f"{DISCLOSURE}\n\n"


def events(client: Any, cursor: str) -> list[tuple[str, dict[str, Any]]]:
    return [(one["type"], one["data"]) for one in client.get(f"/events?after={cursor}").json()["events"]]


@pytest.mark.django_db
def test_a_reply_is_shown_to_its_asker(
    switch_on: SwitchOn, as_user: ApiClient, alice: User, bob: User
) -> None:
    switch_on(Says("First"), problem(400))
    client, stranger = as_user(alice), as_user(bob)
    first, second = ask(client), ask(client)
    shown = client.get(f"/assistant/replies/{first.pk}").json()
    assert shown.pop("created_at")
    assert shown == {
        "id": first.pk,
        "question_id": first.question_id,
        "answer_id": None,
        "conversation_id": first.conversation_id,
        "state": "queued",
        "text": "",
        "reason": None,
        "finished_at": None,
    }
    work()
    newest, oldest = client.get("/assistant/replies").json()
    assert (newest["id"], newest["state"], oldest["id"], oldest["state"]) == (
        *(second.pk, "failed", first.pk, "done"),
    )
    assert oldest["text"] == f"{OPENING}First"
    assert oldest["answer_id"] == Message.objects.get(content=oldest["text"]).pk
    assert oldest["finished_at"] > oldest["created_at"]
    assert client.get("/assistant/replies?state=done").json() == [oldest]
    page = client.get("/assistant/replies?limit=1")
    assert page.json() == [newest]
    assert f"before={second.pk}" in page["Link"]
    assert client.get(f"/assistant/replies?before={second.pk}").json() == [oldest]
    assert client.get("/assistant/replies?state=wrong").status_code == 400

    assert stranger.get("/assistant/replies").json() == []
    for method, path in (("get", ""), ("delete", ""), ("post", "/retry")):
        answer = getattr(stranger, method)(f"/assistant/replies/{first.pk}{path}")
        assert (answer.status_code, answer.json()["detail"]) == (404, "Reply not found")
    # What its asker deleted is not shown here either.
    delete_message(Message.objects.get(pk=oldest["answer_id"]), actor=alice)
    assert client.get(f"/assistant/replies/{first.pk}").json()["text"] == ""


@pytest.mark.django_db(transaction=True)
def test_its_beginning_and_its_end_are_events_of_its_asker(
    switch_on: SwitchOn, as_user: ApiClient, alice: User, bob: User
) -> None:
    switch_on(problem(500), Says("Done"))
    client, stranger = as_user(alice), as_user(bob)
    cursor = client.get("/events").json()["cursor"]
    reply = ask(client)
    work()
    reply.refresh_from_db()
    told = events(client, cursor)
    assert [kind for kind, _ in told] == [
        "message.created",
        "reply.started",
        "message.created",
        "reply.finished",
    ]
    assert told[1][1] == {
        "reply_id": reply.pk,
        "conversation_id": reply.conversation_id,
        "question_id": reply.question_id,
    }
    assert told[3][1] == {"reply_id": reply.pk, "state": "done", "answer_id": reply.answer_id}
    assert events(stranger, cursor) == []


# --- While it is written ---------------------------------------------------------------------------


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Hub:
    made = Hub()
    made.thread = object()  # type: ignore[assignment]  # so that it starts none
    monkeypatch.setitem(streams.CHECKS, "session", set)
    return made


def deltas(wire: Wire) -> list[dict[str, Any]]:
    return [data for kind, data, _ in wire.events() if kind == "reply.delta"]


def put_together(text: str, pieces: list[dict[str, Any]]) -> str:
    """As a client does: a piece that begins where it is goes on, one that begins at 0 begins anew."""
    for piece in pieces:
        if piece["offset"] == 0 or piece["offset"] == len(text):
            text = text[: piece["offset"]] + piece["text"]
    return text


@pytest.mark.django_db(transaction=True)
def test_who_looks_on_from_whenever_sees_it_all(
    hub: Hub, switch_on: SwitchOn, as_user: ApiClient, alice: User, bob: User
) -> None:
    """B42."""
    switch_on()
    client = as_user(alice)
    first, stranger = opened(hub, alice.pk), opened(hub, bob.pk, session=2)
    look(hub)
    reply = claim(ask(client).pk, holder="test")
    assert reply is not None
    writer = Writer(reply, opening=OPENING)
    writer.show(f"{OPENING}One, ")
    look(hub)
    writer.show(f"{OPENING}One, two, ")
    late = opened(hub, alice.pk, session=3)
    look(hub)
    so_far = client.get(f"/assistant/replies/{reply.pk}").json()["text"]
    assert so_far == f"{OPENING}One, two, "
    writer.show(f"{OPENING}One, two, three \U0001f600.")
    finish(reply, Reply.State.DONE, text=f"{OPENING}One, two, three \U0001f600.")
    look(hub)

    whole = answers_to(alice)[0]
    assert put_together("", deltas(first)) == whole
    assert put_together(so_far, deltas(late)) == whole
    assert deltas(stranger) == []
    assert [kind for kind, _, _ in first.events()].count("message.created") == 2
    # They are news, and kept nowhere.
    assert all(identity == "" for kind, _, identity in first.events() if kind == "reply.delta")
    assert "reply.delta" not in str(client.get("/events").json())
    with connection.cursor() as cursor:
        cursor.execute("SELECT data FROM events_event WHERE kind = 'reply.delta'")
        assert "three" not in str(cursor.fetchall())


@pytest.mark.django_db(transaction=True)
def test_another_attempt_begins_anew(hub: Hub, switch_on: SwitchOn, as_user: ApiClient, alice: User) -> None:
    switch_on()
    wire = opened(hub, alice.pk)
    look(hub)
    reply = claim(ask(as_user(alice)).pk, holder="test")
    assert reply is not None
    Writer(reply, opening="").show("Half of")
    look(hub)
    again = claim(reply.pk, holder="test")
    assert again is not None
    writer = Writer(again, opening="")
    assert Reply.objects.get(pk=reply.pk).text == ""
    writer.show("Another")
    look(hub)
    assert put_together("", deltas(wire)) == "Another"


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_pieces_come_while_the_provider_writes(
    hub: Hub, switch_on: SwitchOn, as_user: ApiClient, alice: User
) -> None:
    switch_on(Says("A sentence that takes its time to be written.", drip=0.15, size=4))
    wire = opened(hub, alice.pk)
    look(hub)
    reply = ask(as_user(alice))
    worker = in_thread(lambda: run_due("assistant"))
    while worker.is_alive():
        look(hub)
        time.sleep(0.05)
    look(hub)
    pieces = deltas(wire)
    assert len(pieces) >= 3
    assert {piece["reply_id"] for piece in pieces} == {reply.pk}
    assert put_together("", pieces) == answers_to(alice)[0]


def in_thread(function: Callable[[], Any]) -> threading.Thread:
    def run() -> None:
        try:
            function()
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


# --- Cancelling ------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_one_that_waits_is_cancelled_without_an_answer(
    switch_on: SwitchOn, as_user: ApiClient, alice: User
) -> None:
    stub = switch_on(Says("Second"))
    client = as_user(alice)
    cursor = client.get("/events").json()["cursor"]
    first, second = ask(client), ask(client)
    for _ in range(2):
        answer = client.delete(f"/assistant/replies/{first.pk}")
        assert (answer.status_code, answer.json()) == (200, {"message": "Reply cancelled"})
    shown = client.get(f"/assistant/replies/{first.pk}").json()
    assert (shown["state"], shown["answer_id"], shown["text"]) == ("cancelled", None, "")
    assert [kind for kind, _ in events(client, cursor)].count("reply.finished") == 1
    work()
    # The next one has its turn.
    assert len(stub.requests) == 1
    assert client.get(f"/assistant/replies/{second.pk}").json()["state"] == "done"
    client.delete(f"/assistant/replies/{second.pk}")
    assert client.get(f"/assistant/replies/{second.pk}").json()["state"] == "done"
    assert answers_to(alice) == [f"{OPENING}Second"]


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_cancelling_stops_the_spending_and_keeps_what_was_written(
    switch_on: SwitchOn, as_user: ApiClient, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """B41."""
    monkeypatch.setattr(writing, "LOOK_EVERY", 0.3)
    stub = switch_on(Says("word " * 400, drip=0.1))
    client = as_user(alice)
    reply = ask(client)
    worker = in_thread(lambda: run_due("assistant"))
    began = time.monotonic()
    while not Reply.objects.get(pk=reply.pk).text and time.monotonic() < began + 20:
        time.sleep(0.05)
    cancelled = time.monotonic()
    assert client.delete(f"/assistant/replies/{reply.pk}").status_code == 200
    worker.join(20)
    while not stub.left and time.monotonic() < cancelled + 5:
        time.sleep(0.02)

    assert stub.left[0] - cancelled < 1
    shown = client.get(f"/assistant/replies/{reply.pk}").json()
    assert shown["state"] == "cancelled"
    assert shown["text"].startswith(f"{OPENING}word")
    assert len(shown["text"]) < 1000
    assert answers_to(alice) == [shown["text"]]
    assert waiting_jobs() == 0
    # What was written until then is paid for all the same.
    assert client.get("/assistant").json()["tokens_used"] > 0


@pytest.mark.django_db
def test_who_finishes_and_who_cancels_end_it_once(
    switch_on: SwitchOn, as_user: ApiClient, alice: User
) -> None:
    switch_on()
    reply = claim(ask(as_user(alice)).pk, holder="test")
    assert reply is not None
    Writer(reply, opening="").show("So far")
    cancel_reply(reply)
    with pytest.raises(LeaseLost):
        finish(reply, Reply.State.DONE, text="So far and no further")
    assert answers_to(alice) == ["So far"]
    cancel_reply(Reply.objects.get(pk=reply.pk))
    assert answers_to(alice) == ["So far"]


@pytest.mark.django_db
def test_one_that_is_tried_again_waits_for_the_one_that_is_answered(
    switch_on: SwitchOn, as_user: ApiClient, alice: User, bot: Profile
) -> None:
    switch_on(problem(400))
    client = as_user(alice)
    failed = ask(client)
    work()
    running = claim(ask(client).pk, holder="test")
    assert running is not None
    assert client.post(f"/assistant/replies/{failed.pk}/retry").status_code == 202
    assert claim(failed.pk, holder="other") is None
    finish(running, Reply.State.DONE, text="Done")
    assert claim(failed.pk, holder="other") is not None


@pytest.mark.django_db
def test_only_what_failed_is_tried_again(switch_on: SwitchOn, as_user: ApiClient, alice: User) -> None:
    switch_on()
    client = as_user(alice)
    reply = ask(client)
    for state in ("queued", "running", "done", "cancelled", "skipped"):
        Reply.objects.update(state=state)
        refused = client.post(f"/assistant/replies/{reply.pk}/retry")
        assert (refused.status_code, refused.json()["code"]) == (409, "conflict")
    assert json.loads(refused.content)["detail"] == "Only a reply that failed can be tried again"
