"""What is kept about somebody, what an export holds, and what a deleted account leaves (B53, B54)."""

import json
import logging
from datetime import timedelta
from io import BytesIO
from zipfile import ZipFile

import pytest
from django.utils import timezone
from pytest_django import Settings

from accounts.models import User
from accounts.services.leaving import erasers
from accounts.services.users import delete_user
from assistant.models import Effect, Profile, Reply, Step, Thread, Usage
from assistant.sweeping import sweep
from assistant.tests import questions
from assistant.tests.conftest import SwitchOn, answers_to, ask, work
from assistant.tests.stub import Says, problem
from conftest import ApiClient
from messaging.models import Conversation, Message
from reports.models import Report
from tests.factories import PASSWORD, MessageFactory

pytestmark = pytest.mark.django_db

FILES = Says("", calls=(("create_report", {"title": "Noise", "content": "It never stops."}),))


@pytest.fixture
def talked(switch_on: SwitchOn, as_user: ApiClient, alice: User, bob: User) -> None:
    """alice and bob have each had a report filed."""
    for user in (alice, bob):
        switch_on(FILES, Says(f"Filed, {user.username}."))
        me = as_user(user)
        me.patch("/assistant", {"share_messages": True})
        ask(me, f"Please, for {user.username}.")
        work()


def of(user: User) -> list[int]:
    """Rows about `user`, by table."""
    return [
        Reply.objects.filter(asker=user.pk).count(),
        Step.objects.filter(reply__asker=user.pk).count(),
        Effect.objects.filter(reply__asker=user.pk).count(),
        Usage.objects.filter(user=user.pk).count(),
        Thread.objects.filter(user=user.pk).count(),
    ]


@pytest.mark.usefixtures("talked")
def test_an_export_holds_what_the_assistant_did(as_user: ApiClient, alice: User) -> None:
    answer = as_user(alice).post("/auth/me/export", {"current_password": PASSWORD})
    archive = ZipFile(BytesIO(b"".join(answer.streaming_content)))  # type: ignore[attr-defined]
    replies = [json.loads(line) for line in archive.read("assistant.ndjson").splitlines()]
    allowance = json.loads(archive.read("allowance.json"))
    messages = archive.read("messages.ndjson").decode()

    (reply,) = replies
    mine = Reply.objects.get(asker=alice)
    assert (reply["id"], reply["question_id"], reply["state"]) == (mine.pk, mine.question_id, "done")
    assert (reply["tokens_in"], reply["tokens_out"]) == (200, 40)
    (tool,) = reply["tools"]
    assert tool["name"] == "create_report"
    assert json.loads(tool["arguments"])["title"] == "Noise"
    assert tool["result"]["id"] == Report.objects.get(reporter=alice).pk
    assert allowance[0] == {"share_messages": True, "handed_over_at": None}
    assert (allowance[1]["requests"], allowance[1]["tokens_in"]) == (2, 200)
    assert "Please, for alice." in messages
    assert "Filed, alice." in messages
    assert "bob" not in json.dumps([replies, allowance])


@pytest.mark.usefixtures("talked")
def test_a_deleted_account_leaves_nothing(alice: User, bob: User, superuser: User, bot: Profile) -> None:
    before = of(bob)
    pk = alice.pk
    delete_user(User.objects.get(pk=pk), actor=superuser)
    alice.pk = pk

    assert of(alice) == [0, 0, 0, 0, 0]
    assert of(bob) == before == [1, 1, 1, 1, 1]
    assert Usage.objects.get(user=None).tokens == 480

    dry = sweep(dry_run=True)
    done = sweep()

    assert dry == done
    assert done["messages between the assistant and deleted accounts"] == 2
    assert done["conversations of the assistant with deleted accounts"] == 1
    said = list(Message.objects.order_by("pk").values_list("content", flat=True))
    assert len(said) == 2
    assert "alice" not in " ".join(said)
    assert Conversation.objects.get().pk == f"conv_{min(bob.pk, bot.user_id)}_{max(bob.pk, bot.user_id)}"
    # The complaint outlives who filed it, as any.
    assert set(Report.objects.values_list("reporter", flat=True)) == {None, bob.pk}


@pytest.mark.usefixtures("talked")
def test_the_sweep_leaves_the_talk_of_people_alone(alice: User, bob: User, superuser: User) -> None:
    MessageFactory(sender=alice, recipient=bob, content="Between people")
    delete_user(User.objects.get(pk=alice.pk), actor=superuser)

    sweep()

    assert Message.objects.filter(content="Between people").exists()
    assert answers_to(bob)


@pytest.mark.usefixtures("talked")
def test_erasing_takes_the_questions(alice: User, as_user: ApiClient) -> None:
    while any(erase(alice.pk) for erase in erasers):
        pass

    assert not Message.objects.filter(sender=alice).exists()
    # What refers to them still works.
    (reply,) = as_user(alice).get("/assistant/replies").json()
    assert reply["state"] == "done"
    assert as_user(alice).get("/messages/history").json()["message_count"] == 0


def test_what_others_wrote_is_not_kept_once_there_is_an_answer(
    switch_on: SwitchOn, as_user: ApiClient, alice: User, bob: User, superuser: User
) -> None:
    """bob may delete it, or leave."""
    MessageFactory(sender=bob, recipient=alice, content="The cake is in the oven")
    calls = (
        ("search_my_messages", {"query": "cake"}),
        ("find_people", {"search": "bo"}),
        ("list_my_reports", {}),
    )
    searches = Says("", calls=calls)
    stub = switch_on(searches, problem(500), Says("It is ready."))
    me = as_user(alice)
    me.patch("/assistant", {"share_messages": True})
    reply = ask(me, "Where is it?")

    assert work(1) == 1
    kept = json.dumps(Step.objects.get().result)
    assert "oven" in kept
    assert "Bob Baker" in kept
    work()
    # Another attempt was shown them once more.
    assert "oven" in str(stub.requests[2])
    step = Step.objects.get()
    assert [set(each["result"]) for each in step.result] == [{"error"}, {"error"}, {"reports"}]
    assert "oven" not in json.dumps(step.result)
    assert "bob" not in json.dumps(step.result).lower()
    reply.refresh_from_db()
    assert (reply.state, reply.tainted) == ("done", True)


def test_what_tools_did_is_kept_for_some_days(question: Reply, settings: Settings) -> None:
    questions.step(question, ("list_my_reports", {}))
    days = settings.ASSISTANT.keep_days
    Step.objects.update(at=timezone.now() - timedelta(days=days, minutes=-1))
    sweep()
    assert Step.objects.count() == 1
    Step.objects.update(at=timezone.now() - timedelta(days=days, minutes=1))
    assert sweep()["steps of the assistant"] == 1
    assert (Step.objects.count(), Reply.objects.count()) == (0, 1)


def test_numbers_are_kept_longer(question: Reply, alice: User) -> None:
    now = timezone.now()
    for days in (399, 401):
        Usage.objects.create(user=alice, day=(now - timedelta(days=days)).date())
        old = questions.ask(alice)
        Reply.objects.filter(pk=old.pk).update(state="done", finished_at=now - timedelta(days=days))
    done = sweep()
    assert (done["old replies of the assistant"], done["counts of the assistant's tokens"]) == (1, 1)
    assert Reply.objects.filter(pk=question.pk).exists()


def test_no_log_holds_what_was_said(
    switch_on: SwitchOn, as_user: ApiClient, alice: User, caplog: pytest.LogCaptureFixture
) -> None:
    """B54."""
    caplog.set_level(logging.DEBUG)
    unknown = Says(
        "", calls=(("Tulips", {"x": "Roses"}), ("create_report", {"title": "Lilies", "content": "Iris"}))
    )
    switch_on(unknown, Says("Daisies"))

    ask(as_user(alice), "Violets")
    work()

    assert answers_to(alice)[0].endswith("Daisies")
    logged = caplog.text.lower()
    flowers = ["tulips", "roses", "lilies", "iris", "daisies", "violets", "sk-secret-key"]
    assert [word for word in flowers if word in logged] == []
    assert "name=create_report done=True" in caplog.text


def test_a_partial_answer_is_not_kept(switch_on: SwitchOn, as_user: ApiClient, alice: User) -> None:
    switch_on(Says("Hello"))
    ask(as_user(alice))
    work()
    assert Reply.objects.get().text == ""
