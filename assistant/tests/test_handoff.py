"""Handing over to a person, and back (B45)."""

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from accounts.models import User
from aimessage.api.problems import Conflict
from aimessage.audit.models import Entry
from aimessage.tests.threads import run_together
from assistant import provider
from assistant.account import get_profile
from assistant.failures import Stopped
from assistant.models import Profile, Reply, Thread
from assistant.services import handoff
from assistant.services.handoff import HANDED_OVER, TITLE, answer_as_person
from assistant.tests.conftest import SwitchOn, answers_to, ask, work
from assistant.tests.stub import Says
from assistant.turns import Completion, Prompt
from conftest import ApiClient
from messaging.models import Message
from reports.models import Report
from reports.services import moderate_report
from reports.tests.desks import act, page_of
from tests.factories import BlockFactory

pytestmark = pytest.mark.django_db
Browsers = Callable[[User], Client]


def last_answer(user: User) -> str:
    return answers_to(user)[-1]


def resolve(report: Report, actor: User) -> None:
    moderate_report(report, actor=actor, status="resolved")


def test_the_endpoint_files_a_report_and_silences_the_assistant(
    switch_on: SwitchOn, as_user: ApiClient, alice: User, bob: User
) -> None:
    stub = switch_on(Says("Hello"))
    me = as_user(alice)

    answer = me.post("/assistant/handoff", {"reason": "My order never came."})

    assert answer.status_code == 201
    report = Report.objects.get()
    assert answer.json() == {"report_id": report.pk}
    assert (report.reporter, report.title, report.content) == (alice, TITLE, "My order never came.")
    assert (report.message, report.status) == (None, "open")
    assert answers_to(alice) == [HANDED_OVER]
    assert me.get("/assistant").json()["paused"] is True
    sent = me.post("/messages", {"recipient_id": -1, "content": "Are you there?"})
    assert sent.status_code == 201
    assert work() == 0
    assert (answers_to(alice), stub.requests) == ([HANDED_OVER], [])
    assert not Reply.objects.exists()

    again = me.post("/assistant/handoff", {})
    assert (again.status_code, again.json()) == (200, {"report_id": report.pk})
    assert Report.objects.count() == 1
    # For others it is there.
    assert as_user(bob).get("/assistant").json()["paused"] is False


def test_waiting_for_an_answer_says_that_it_follows(
    switch_on: SwitchOn, as_user: ApiClient, alice: User
) -> None:
    switch_on(Says("Hello"))
    me = as_user(alice)
    me.post("/assistant/handoff")

    assert me.post("/messages/ai", {"content": "Hello?"}).status_code == 503


@pytest.mark.parametrize("content", ["/human", " /HUMAN\n"])
def test_the_command_does_the_same(
    switch_on: SwitchOn, as_user: ApiClient, alice: User, content: str
) -> None:
    stub = switch_on(Says("Hello"))

    reply = ask(as_user(alice), content)
    work()

    assert (reply.state, last_answer(alice)) == ("done", HANDED_OVER)
    assert reply.answer is not None
    assert reply.answer.parent_id == reply.question_id
    assert Report.objects.get().reporter == alice
    assert stub.requests == []


def test_the_command_to_those_who_wait_gets_its_sentence_at_once(
    switch_on: SwitchOn, as_user: ApiClient, alice: User
) -> None:
    switch_on(Says("Hello"))

    answer = as_user(alice).post("/messages/ai", {"content": "/human"})

    assert (answer.status_code, answer.json()["content"]) == (200, HANDED_OVER)


def test_a_sentence_about_the_command_is_a_question(
    switch_on: SwitchOn, as_user: ApiClient, alice: User
) -> None:
    switch_on(Says("It hands over."))

    ask(as_user(alice), "What does /human do?")
    work()

    assert not Report.objects.exists()


def test_the_tool_ends_the_reply_with_the_fixed_sentence(
    switch_on: SwitchOn, as_user: ApiClient, alice: User
) -> None:
    stub = switch_on(
        Says("", calls=(("request_person", {"reason": "They are angry."}),)),
        Says("I, the model, say goodbye."),
    )

    reply = ask(as_user(alice), "I want a person!")
    work()

    reply.refresh_from_db()
    assert (reply.state, answers_to(alice)) == ("done", [HANDED_OVER])
    assert len(stub.requests) == 1
    assert Report.objects.get().content == "They are angry."
    assert Thread.objects.get(user=alice).is_paused


def test_nothing_follows_it_in_the_same_step(switch_on: SwitchOn, as_user: ApiClient, alice: User) -> None:
    calls = (
        ("request_person", {}),
        ("request_person", {}),
        ("create_report", {"title": "t", "content": "c"}),
    )
    stub = switch_on(Says("", calls=calls))

    reply = ask(as_user(alice), "I want a person!")
    work()

    reply.refresh_from_db()
    assert (reply.state, reply.answer.content if reply.answer else "") == ("done", HANDED_OVER)
    assert (len(stub.requests), Report.objects.get().title) == (1, TITLE)
    results = [each["result"] for each in reply.steps.get().result]
    assert [set(result) for result in results] == [{"report_id"}, {"error"}, {"error"}]


def test_what_waits_behind_it_is_skipped(switch_on: SwitchOn, as_user: ApiClient, alice: User) -> None:
    stub = switch_on(Says("Hello"))
    me = as_user(alice)
    waiting = [ask(me, "One"), ask(me, "Two")]

    me.post("/assistant/handoff")
    work()

    for reply in waiting:
        reply.refresh_from_db()
        assert (reply.state, reply.reason, reply.answer_id) == ("skipped", "handed_over", None)
    assert stub.requests == []


def test_what_is_being_answered_is_skipped(
    switch_on: SwitchOn, as_user: ApiClient, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    switch_on()
    me = as_user(alice)

    def asked_for_meanwhile(prompt: Prompt, *, watch: Callable[[str], bool]) -> Completion:
        me.post("/assistant/handoff")
        assert not watch("I talk over people")
        raise Stopped(Completion("I talk over people"))

    monkeypatch.setattr(provider, "ask", asked_for_meanwhile)
    reply = ask(me, "Hello?")
    work()

    reply.refresh_from_db()
    assert (reply.state, answers_to(alice)) == ("skipped", [HANDED_OVER])


def test_resolving_the_report_lets_it_answer_again(
    switch_on: SwitchOn, as_user: ApiClient, alice: User, moderator: User
) -> None:
    stub = switch_on(Says("Hello again"))
    me = as_user(alice)
    me.post("/messages", {"recipient_id": -1, "content": "Before"})
    me.post("/assistant/handoff")
    me.post("/messages", {"recipient_id": -1, "content": "To the person"})
    report = Report.objects.get()
    moderate_report(report, actor=moderator, status="in_progress")
    assert me.get("/assistant").json()["paused"] is True
    answer_as_person(report, actor=moderator, text="It is on its way.")

    resolve(report, moderator)

    assert me.get("/assistant").json()["paused"] is False
    assert me.get("/messages/history").json() == {"history": [], "message_count": 0}
    ask(me, "After")
    work()
    assert last_answer(alice).endswith("Hello again")
    assert stub.said(len(stub.requests) - 1) == [("user", "After")]


def test_the_user_can_take_it_back(
    switch_on: SwitchOn, as_user: ApiClient, alice: User, moderator: User
) -> None:
    stub = switch_on(Says("Hello"))
    me = as_user(alice)
    assert me.delete("/assistant/handoff").status_code == 200
    me.post("/assistant/handoff")

    answer = me.delete("/assistant/handoff")

    assert (answer.status_code, answer.json()) == (200, {"message": "The assistant answers again"})
    ask(me, "After")
    work()
    assert stub.said(0) == [("user", "After")]
    # The report stays, and resolving it changes nothing here.
    resolve(Report.objects.get(), moderator)
    assert me.get("/messages/history").json()["message_count"] == 2
    assert me.post("/assistant/handoff").status_code == 201


def test_a_report_that_is_deleted_silences_nobody(
    switch_on: SwitchOn, as_user: ApiClient, alice: User
) -> None:
    switch_on(Says("Hello"))
    me = as_user(alice)
    me.post("/assistant/handoff")
    Report.objects.get().delete()

    assert me.get("/assistant").json()["paused"] is False
    ask(me, "Anybody?")
    work()

    assert last_answer(alice).endswith("Hello")
    assert Thread.objects.get(user=alice).paused_at is None


def test_asking_for_people_counts_as_reporting(
    switch_on: SwitchOn, as_user: ApiClient, alice: User, settings: Settings
) -> None:
    switch_on(Says("Hello"))
    settings.THROTTLE_RATES = {**settings.THROTTLE_RATES, "report": (1, 3600)}
    me = as_user(alice)
    me.post("/assistant/handoff")
    me.delete("/assistant/handoff")

    assert me.post("/assistant/handoff").status_code == 429
    assert me.post("/messages", {"recipient_id": -1, "content": "/human"}).status_code == 429
    assert Report.objects.count() == 1
    assert answers_to(alice) == [HANDED_OVER]


def test_it_is_for_those_whom_the_assistant_is_for(
    switch_on: SwitchOn, as_user: ApiClient, alice: User, bot: Profile
) -> None:
    switch_on()
    BlockFactory(blocker=alice, blocked=bot.user)
    assert as_user(alice).post("/assistant/handoff").status_code == 403
    Profile.objects.update(is_active=False)
    assert as_user(alice).post("/assistant/handoff").status_code == 403
    assert not Report.objects.exists()
    assert not Message.objects.exists()


@pytest.mark.parametrize(
    "body", [{"reason": 5}, {"reason": "x" * 20_001}, {"reason": "a\u0000"}, {"reason": ["x"]}]
)
def test_a_wrong_reason_is_refused(switch_on: SwitchOn, as_user: ApiClient, alice: User, body: Any) -> None:
    switch_on()
    assert as_user(alice).post("/assistant/handoff", body).status_code == 400
    assert not Report.objects.exists()


def test_without_a_reason_the_report_says_so(switch_on: SwitchOn, as_user: ApiClient, alice: User) -> None:
    switch_on()
    for body in ({}, {"reason": None}, {"reason": " \u3164"}):
        assert as_user(alice).post("/assistant/handoff", body).status_code == 201
        as_user(alice).delete("/assistant/handoff")
    assert set(Report.objects.values_list("content", flat=True)) == {handoff.NO_REASON}


# --- In the admin -------------------------------------------------------------------------------


@pytest.fixture
def report(switch_on: SwitchOn, as_user: ApiClient, alice: User) -> Report:
    """alice asked for a person, and then wrote to them."""
    switch_on(Says("A model's answer"))
    me = as_user(alice)
    ask(me, "Where is my order?")
    work()
    me.post("/assistant/handoff", {"reason": "Lost."})
    me.post("/messages", {"recipient_id": -1, "content": "Number 42."})
    return Report.objects.get()


def test_moderators_answer_under_their_name(
    report: Report, browser_of: Browsers, as_user: ApiClient, alice: User, moderator: User
) -> None:
    desk = browser_of(moderator)
    page = desk.get(page_of(report)).content.decode()
    assert "Waits for a person" in page
    for said in ("Where is my order?", "A model&#x27;s answer", "Number 42."):
        assert said in page

    page = act(desk, report, "answer", answer="It comes\r\ntomorrow.")

    assert "Sent, from the assistant" in page
    (sent,) = as_user(alice).get("/messages?limit=1").json()
    assert sent["content"] == "Mo Derator (support): It comes\ntomorrow."
    assert sent["sender_id"] == get_profile().user_id
    row = Entry.objects.get(act="report.answered")
    assert (row.actor_id, row.target_id) == (moderator.pk, str(report.pk))
    assert "tomorrow" not in str((row.before, row.after, row.sentence))


def test_every_look_at_the_conversation_is_in_the_trail(
    report: Report, browser_of: Browsers, moderator: User
) -> None:
    browser_of(moderator).get(page_of(report))

    row = Entry.objects.get(act="conversation.read")
    assert row.actor_id == moderator.pk
    assert row.after["conversation"] == Thread.objects.get().paused_conversation_id


def test_nobody_reads_or_answers_once_it_is_over(
    report: Report, browser_of: Browsers, alice: User, moderator: User
) -> None:
    desk = browser_of(moderator)
    resolve(report, moderator)
    said = answers_to(alice)

    assert "Number 42." not in desk.get(page_of(report)).content.decode()
    page = act(desk, report, "answer", answer="Too late.")

    assert "The assistant answers again in this conversation" in page
    assert answers_to(alice) == said
    assert not Entry.objects.filter(act="report.answered").exists()


@pytest.mark.parametrize("text", ["", " ", "\u3164", "x" * 20_001, "x" * 19_990])
def test_an_answer_must_be_one(
    report: Report, browser_of: Browsers, alice: User, moderator: User, text: str
) -> None:
    said = answers_to(alice)

    act(browser_of(moderator), report, "answer", answer=text)

    assert answers_to(alice) == said


def test_who_filed_it_does_not_answer_it(
    report: Report, browser_of: Browsers, alice: User, superuser: User
) -> None:
    from accounts.services.users import grant_superuser

    grant_superuser(alice, actor=superuser)
    alice.refresh_from_db()
    said = answers_to(alice)
    desk = browser_of(alice)
    answer = desk.post(f"/admin/reports/report/{report.pk}/answer/", {"answer": "To myself."}, follow=True)

    assert "must answer" in answer.content.decode()
    assert answers_to(alice) == said


def test_clerks_do_not_answer(report: Report, browser_of: Browsers, alice: User, clerk: User) -> None:
    answer = browser_of(clerk).post(f"/admin/reports/report/{report.pk}/answer/", {"answer": "Hi."})

    assert answer.status_code == 403


def test_who_has_blocked_the_assistant_gets_no_answer(
    report: Report, browser_of: Browsers, alice: User, moderator: User
) -> None:
    BlockFactory(blocker=alice, blocked=get_profile().user)

    assert "You cannot message this user" in act(browser_of(moderator), report, "answer", answer="Hi.")


def test_other_reports_have_no_such_part(
    browser_of: Browsers, alice: User, moderator: User, superuser: User
) -> None:
    from tests.factories import ReportFactory

    other = ReportFactory(reporter=alice)

    assert "Waits for a person" not in browser_of(moderator).get(page_of(other)).content.decode()
    assert "nothing was sent" in act(browser_of(moderator), other, "answer", answer="Hi.")


# --- Races --------------------------------------------------------------------------------------


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_asked_for_at_once_there_is_one_report(
    switch_on: SwitchOn, as_user: ApiClient, alice: User, bot: Profile
) -> None:
    switch_on(Says("Hello"))
    me = as_user(alice)
    for _ in range(5):
        before = set(Report.objects.values_list("pk", flat=True))
        told = answers_to(alice).count(HANDED_OVER)
        answers = run_together(*[partial(as_user(alice).post, "/assistant/handoff")] * 6)

        assert sorted(answer.status_code for answer in answers) == [200] * 5 + [201]
        (made,) = set(Report.objects.values_list("pk", flat=True)) - before
        assert {answer.json()["report_id"] for answer in answers} == {made}
        assert answers_to(alice).count(HANDED_OVER) == told + 1
        me.delete("/assistant/handoff")


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_endpoint_and_command_at_once_make_one_report(
    switch_on: SwitchOn, as_user: ApiClient, alice: User, bot: Profile
) -> None:
    switch_on(Says("Hello"))
    me = as_user(alice)
    ask(me, "Hello?")
    for _ in range(5):
        before = Report.objects.count()
        message = {"recipient_id": -1, "content": "/human"}
        run_together(
            partial(as_user(alice).post, "/assistant/handoff"),
            partial(as_user(alice).post, "/messages", message),
            partial(as_user(alice).post, "/messages", {**message, "content": "Hi"}),
        )
        assert Report.objects.count() == before + 1
        me.delete("/assistant/handoff")
    work()
    assert not Reply.objects.unfinished().exists()


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_no_word_of_a_person_is_taken_for_the_assistants(
    switch_on: SwitchOn, as_user: ApiClient, alice: User, bot: Profile, superuser: User
) -> None:
    """An answer that races the resolution comes before it, or not at all."""
    switch_on(Says("Hello"))
    me = as_user(alice)
    for _ in range(8):
        me.post("/assistant/handoff")
        report = Report.objects.latest("pk")

        def answer(report: Report = report) -> None:
            with suppress(Conflict):
                answer_as_person(report, actor=superuser, text="Hi.")

        run_together(answer, partial(resolve, report, superuser))

        assert me.get("/messages/history").json()["message_count"] == 0
