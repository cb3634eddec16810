"""Each way in which a send can end, and what follows. D1 A34 to A42, A45 of what goes out."""

from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import User
from aimessage.jobs.running import run_due
from channels.codes import code_of
from channels.jobs import dispatch
from channels.models import Address, Delivery, LinkCode, Sender
from channels.services import lookups, sending
from channels.services.linking import send_sms_code
from channels.services.states import apply_report
from channels.tests.carrying import OURS, PHONE, carry, carry_on, link, reply, text_in
from channels.tests.conftest import ACCOUNT, TOKEN
from channels.tests.twilio_stub import Message, Step, TwilioStub
from channels.twilio_calls import TwilioMessage


@pytest.fixture
def delivery(desk: User, alice: User) -> Delivery:
    """Of an answer to alice's SMS; it is due."""
    link(alice)
    text_in("Hello")
    [delivery] = reply(desk, alice)
    return delivery


def now_is(delivery: Delivery) -> str:
    delivery.refresh_from_db()
    return delivery.state


def report(message: Message, status: str, code: int | None = None, *, name: str | None = None) -> None:
    _, _, d = message.callback.partition("?d=")
    apply_report(message.report(status, code), delivery=d if name is None else name)


# --- Refusals -------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [21211, 21614, 21612, 99999])
def test_a_refusal_for_good_is_final(
    delivery: Delivery, twilio: TwilioStub, code: int, time_machine: Any
) -> None:
    """D1 A35."""
    twilio.otherwise = Step(400, code)

    carry_on(time_machine)

    assert now_is(delivery) == "failed"
    assert delivery.error_code == code
    assert delivery.error
    assert PHONE not in delivery.error
    assert len(twilio.asked) == 1


def test_21610_is_an_opt_out(desk: User, delivery: Delivery, alice: User, twilio: TwilioStub) -> None:
    """D1 A34."""
    twilio.otherwise = Step(400, 21610)

    carry()
    [next_one] = reply(desk, alice)
    carry()

    assert (now_is(delivery), delivery.error_code) == ("failed", 21610)
    assert Address.objects.get().opted_out_at is not None
    assert next_one.state == "skipped"
    assert len(twilio.asked) == 1


def test_the_rest_of_a_message_goes_with_its_beginning(desk: User, alice: User, twilio: TwilioStub) -> None:
    link(alice)
    text_in("Hello")
    reply(desk, alice, "word " * 900)
    twilio.steps.append(Step(400, 21614))

    carry()

    assert len(twilio.asked) == 1
    assert set(Delivery.objects.values_list("state", "error_code")) == {("failed", 21614)}


def test_what_may_succeed_later_is_tried_again(
    delivery: Delivery, twilio: TwilioStub, time_machine: Any
) -> None:
    """D1 A36."""
    time_machine.move_to(timezone.now(), tick=False)
    twilio.steps.extend([Step(500), Step(503), Step(429, 20429, headers={"Retry-After": "100"})])
    times = []
    for _ in range(4):
        times.append(timezone.now())
        carry()
        delivery.refresh_from_db()
        if delivery.due_at:
            time_machine.move_to(delivery.due_at, tick=False)

    assert now_is(delivery) == "accepted"
    assert (delivery.error_code, delivery.error) == (None, "")
    assert len(twilio.asked) == 4
    waits = [(later - earlier).total_seconds() for earlier, later in pairwise(times)]
    for wait, least in zip(waits, [2, 8, 100], strict=True):
        assert least <= wait <= least * 1.21


def test_pauses_grow_to_ten_minutes(delivery: Delivery, twilio: TwilioStub, time_machine: Any) -> None:
    time_machine.move_to(timezone.now(), tick=False)
    twilio.otherwise = Step(503)
    for least in (2, 8, 30, 120, 600, 600, 600):
        carry()
        delivery.refresh_from_db()
        wait = (delivery.due_at - timezone.now()).total_seconds()
        assert least <= wait <= least * 1.21
        time_machine.move_to(delivery.due_at, tick=False)

    assert len(twilio.asked) == 7


def test_tries_have_an_end(
    delivery: Delivery, twilio: TwilioStub, time_machine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert timedelta(days=1) == sending.PATIENCE
    monkeypatch.setattr(sending, "PATIENCE", timedelta(hours=2))
    twilio.otherwise = Step(500)
    begun = timezone.now()

    carry_on(time_machine, within=timedelta(days=3))

    assert now_is(delivery) == "failed"
    assert timedelta(hours=2) < timezone.now() - begun < timedelta(hours=2.4)
    assert 12 < len(twilio.asked) < 20


def test_twilio_may_be_unreachable(
    delivery: Delivery, twilio: TwilioStub, twilio_with: Any, time_machine: Any
) -> None:
    twilio_with(url="http://127.0.0.1:1")
    carry()
    assert now_is(delivery) == "sending"
    twilio_with(url=twilio.url)

    carry_on(time_machine)

    assert now_is(delivery) == "accepted"
    assert len(twilio.asked) == 1


# --- Unclear --------------------------------------------------------------------------------------


def test_a_hang_and_then_the_report(
    delivery: Delivery, twilio: TwilioStub, monkeypatch: pytest.MonkeyPatch, time_machine: Any
) -> None:
    """D1 A37."""
    monkeypatch.setattr("channels.twilio_calls.READ_SECONDS", 0.3)
    twilio.steps.append(Step(hang=True))

    carry()
    assert now_is(delivery) == "unknown"
    report(twilio.messages[0], "sent")
    carry_on(time_machine)

    assert now_is(delivery) == "sent"
    assert delivery.sid == twilio.messages[0].sid
    assert len(twilio.asked) == 1


@pytest.mark.parametrize("step", [Step(drop="after"), Step(504, take=True), Step(text="<html>")], ids=repr)
def test_what_twilio_took_is_found_in_its_list(
    delivery: Delivery, twilio: TwilioStub, step: Step, time_machine: Any
) -> None:
    """D1 A38."""
    if step.status == 504:
        twilio.take(ACCOUNT, {"To": PHONE, "From": OURS, "Body": "An answer"})
    twilio.steps.append(step)

    carry()
    assert now_is(delivery) == "unknown"
    carry_on(time_machine)

    assert now_is(delivery) == "accepted"
    assert delivery.sid == twilio.messages[0].sid
    assert len(twilio.asked) == 1


def test_what_twilio_did_not_take_is_sent_again_once_its_list_says_so(
    delivery: Delivery, twilio: TwilioStub, time_machine: Any
) -> None:
    twilio.steps.append(Step(drop="before"))
    begun = timezone.now()

    carry_on(time_machine)

    assert now_is(delivery) == "accepted"
    assert len(twilio.asked) == 2
    assert len(twilio.messages) == 1
    assert timezone.now() - begun >= timedelta(seconds=90)
    assert len(twilio.lists) == 3


def test_a_list_that_shows_it_late_is_asked_again(
    delivery: Delivery, twilio: TwilioStub, time_machine: Any
) -> None:
    twilio.lists_new = False
    twilio.steps.append(Step(drop="after"))
    carry()
    delivery.refresh_from_db()
    time_machine.move_to(delivery.due_at, tick=False)
    carry()
    assert len(twilio.lists) == 1
    twilio.show_all()

    carry_on(time_machine)

    assert now_is(delivery) == "accepted"
    assert len(twilio.asked) == 1


def test_without_the_list_nothing_is_sent_again(
    delivery: Delivery, twilio: TwilioStub, time_machine: Any
) -> None:
    twilio.steps.append(Step(drop="before"))
    twilio.list_steps.extend([Step(503)] * 20)

    carry_on(time_machine, within=timedelta(minutes=5))
    assert now_is(delivery) == "unknown"
    assert len(twilio.asked) == 1

    twilio.list_steps.clear()
    carry_on(time_machine)
    assert now_is(delivery) == "accepted"
    assert len(twilio.messages) == 1


def test_what_stays_unclear_for_a_day_is_left_and_holds_up_nothing(
    desk: User,
    alice: User,
    delivery: Delivery,
    twilio: TwilioStub,
    time_machine: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for module in (sending, lookups):
        monkeypatch.setattr(module, "PATIENCE", timedelta(hours=2))
    twilio.steps.append(Step(drop="before"))
    twilio.list_steps.extend([Step(503)] * 3000)
    [behind] = reply(desk, alice, "Behind it")

    carry_on(time_machine, within=timedelta(hours=1))
    assert now_is(behind) == "pending"
    carry_on(time_machine)

    assert now_is(delivery) == "unknown"
    assert delivery.due_at is None
    assert "not known" in delivery.error
    assert len(twilio.asked) == 1


def test_another_message_with_the_same_text_is_not_taken_for_it(
    desk: User, alice: User, delivery: Delivery, twilio: TwilioStub, time_machine: Any
) -> None:
    carry()
    twilio.steps.append(Step(drop="before"))
    [again] = reply(desk, alice)

    carry_on(time_machine)

    assert now_is(again) == "accepted"
    assert again.sid != delivery.sid
    assert len(twilio.messages) == 2


def test_messages_to_one_address_leave_in_their_order(
    desk: User, alice: User, bob: User, delivery: Delivery, twilio: TwilioStub, time_machine: Any
) -> None:
    link(bob, "+14155550177")
    text_in("Hi", sender="+14155550177")
    reply(desk, alice, "Second")
    reply(desk, bob, "Another's")
    twilio.steps.extend([Step(503), Step(), Step(drop="before")])

    carry()
    assert twilio.bodies() == ["Another's"]
    carry_on(time_machine)

    assert twilio.bodies(PHONE) == ["An answer", "Second"]


# --- A worker that is gone ------------------------------------------------------------------------


def test_a_worker_that_dies_before_the_request_leaves_it_to_the_list(
    delivery: Delivery, twilio: TwilioStub, monkeypatch: pytest.MonkeyPatch, time_machine: Any
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(sending.twilio_calls, "send", _die)
        with pytest.raises(SystemError):
            sending.take_step(delivery, Sender.objects.get())
    assert now_is(delivery) == "sending"
    carry()
    assert twilio.asked == twilio.lists == []

    carry_on(time_machine)

    assert now_is(delivery) == "accepted"
    assert len(twilio.messages) == 1
    assert len(twilio.lists) >= 2


def test_a_worker_that_dies_after_the_request_doubles_nothing(
    delivery: Delivery, twilio: TwilioStub, monkeypatch: pytest.MonkeyPatch, time_machine: Any
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(sending, "_accept", _die)
        with pytest.raises(SystemError):
            sending.take_step(delivery, Sender.objects.get())
    assert len(twilio.messages) == 1

    carry_on(time_machine)

    assert now_is(delivery) == "accepted"
    assert delivery.sid == twilio.messages[0].sid
    assert len(twilio.asked) == 1


def _die(*args: Any) -> TwilioMessage:
    raise SystemError("killed")


def test_the_step_of_a_worker_that_was_too_slow_writes_nothing(
    delivery: Delivery, twilio: TwilioStub, time_machine: Any
) -> None:
    sender = Sender.objects.get()
    as_it_was = Delivery.objects.get(pk=delivery.pk)
    carry()

    sending.take_step(as_it_was, sender)

    assert len(twilio.asked) == 1
    assert now_is(delivery) == "accepted"


def test_a_turn_that_was_given_away_sends_nothing(delivery: Delivery, twilio: TwilioStub) -> None:
    assert dispatch() == 1
    Sender.objects.update(turn=99)

    run_due("channels")

    assert twilio.asked == []


def test_a_turn_whose_job_was_lost_is_given_again(
    delivery: Delivery, twilio: TwilioStub, time_machine: Any
) -> None:
    from aimessage.jobs.models import Job

    time_machine.move_to(timezone.now(), tick=False)
    assert dispatch() == 1
    Job.objects.all().delete()
    assert dispatch() == 0

    time_machine.move_to(timezone.now() + timedelta(seconds=61), tick=False)
    carry()

    assert now_is(delivery) == "accepted"


def test_a_fault_of_ours_holds_up_nobody_else(
    desk: User,
    alice: User,
    bob: User,
    delivery: Delivery,
    twilio: TwilioStub,
    monkeypatch: pytest.MonkeyPatch,
    time_machine: Any,
) -> None:
    link(bob, "+14155550177")
    text_in("Hi", sender="+14155550177")
    reply(desk, bob, "Another's")

    def break_down(row: Delivery) -> str:
        if row.pk == delivery.pk:
            raise ValueError("it broke")
        return "Another's"

    with monkeypatch.context() as patched:
        patched.setattr(sending, "text_of", break_down)
        carry()
    assert twilio.bodies() == ["Another's"]

    carry_on(time_machine)
    assert twilio.bodies() == ["Another's", "An answer"]


# --- Reports --------------------------------------------------------------------------------------


def test_states_only_go_up(delivery: Delivery, twilio: TwilioStub) -> None:
    """D1 A39."""
    carry()
    [message] = twilio.messages

    seen = []
    for status in ("sending", "delivered", "sent", "queued", "read", "delivered", "failed"):
        report(message, status)
        seen.append(now_is(delivery))

    assert seen == ["accepted", "delivered", "delivered", "delivered", "read", "read", "read"]


def test_what_came_last_of_delivered_and_failed_stands(delivery: Delivery, twilio: TwilioStub) -> None:
    carry()
    [message] = twilio.messages

    report(message, "delivered")
    report(message, "undelivered", 30006)
    assert (now_is(delivery), delivery.error_code) == ("failed", 30006)
    report(message, "delivered")
    assert (now_is(delivery), delivery.error_code, delivery.error) == ("delivered", None, "")


@pytest.mark.parametrize("code", [30006, 30007, 99999, None])
def test_a_failure_that_is_reported_is_final(
    delivery: Delivery, twilio: TwilioStub, code: int | None, time_machine: Any
) -> None:
    """D1 A35."""
    carry()

    report(twilio.messages[0], "undelivered", code)
    carry_on(time_machine)

    assert (now_is(delivery), delivery.error_code) == ("failed", code)
    assert delivery.error
    assert len(twilio.asked) == 1


def test_reports_that_are_about_nothing_of_ours_change_nothing(
    delivery: Delivery, twilio: TwilioStub
) -> None:
    carry()
    [message] = twilio.messages
    name = message.callback.partition("?d=")[2]
    before = Delivery.objects.values().get()

    for fields in (
        {},
        {"MessageSid": "SM1"},
        {"MessageSid": "SM" + "f" * 32, "MessageStatus": "read"},
        {"MessageSid": message.sid, "MessageStatus": "exploded"},
        {"MessageSid": "\0", "MessageStatus": "read"},
        {"MessageSid": "\udcff", "MessageStatus": "read"},
        {"MessageSid": message.sid, "MessageStatus": "queued", "ErrorCode": "9" * 40},
    ):
        apply_report(fields, delivery=name)

    assert Delivery.objects.values().get() == before


@pytest.mark.parametrize("name", ["", "1", "1.1", "1.1.", "x.1.y", "0.0.0", "99999999999999999999.1.a", "\0"])
def test_a_forged_name_is_nobodys(
    delivery: Delivery, twilio: TwilioStub, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    twilio.steps.append(Step(drop="after"))
    carry()

    report(twilio.messages[0], "read", name=name.replace("1", str(delivery.pk), 1))

    assert now_is(delivery) == "unknown"


def test_a_report_before_the_answer_is_no_second_one(
    delivery: Delivery, twilio: TwilioStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    send = sending.twilio_calls.send

    def send_and_hear(outgoing: Any) -> TwilioMessage:
        taken = send(outgoing)
        report(twilio.messages[0], "delivered")
        return taken

    monkeypatch.setattr(sending.twilio_calls, "send", send_and_hear)

    carry()

    assert now_is(delivery) == "delivered"
    assert delivery.sid == twilio.messages[0].sid


def test_a_report_on_a_try_before_the_last_names_nothing(
    delivery: Delivery, twilio: TwilioStub, time_machine: Any
) -> None:
    twilio.steps.extend([Step(drop="after"), Step(drop="after")])
    twilio.lists_new = False
    carry_on(time_machine, within=timedelta(seconds=100))
    assert len(twilio.messages) == 2
    first, second = twilio.messages

    report(first, "delivered")
    assert now_is(delivery) == "unknown"
    report(second, "sent")

    assert (now_is(delivery), delivery.sid) == ("sent", second.sid)


def test_63016_waits_for_the_contact_where_there_is_a_template(
    desk: User, alice: User, twilio: TwilioStub, twilio_with: Any, time_machine: Any
) -> None:
    """D1 A40."""
    twilio_with(template="HX" + "8" * 32)
    link(alice, f"whatsapp:{PHONE}")
    text_in("Hello", sender=f"whatsapp:{PHONE}", to=f"whatsapp:{OURS}")
    [delivery] = reply(desk, alice)
    carry()
    time_machine.move_to(timezone.now() + timedelta(minutes=2), tick=False)

    for _ in range(2):
        report(twilio.messages[0], "undelivered", 63016)
        assert (now_is(delivery), delivery.error_code) == ("held", 63016)
    assert Delivery.objects.filter(notice="template").count() == 1
    carry()
    assert now_is(delivery) == "held"
    text_in("Yes", sender=f"whatsapp:{PHONE}", to=f"whatsapp:{OURS}")
    carry()

    assert now_is(delivery) == "accepted"
    assert twilio.bodies().count("An answer") == 2
    assert delivery.sid == twilio.messages[-1].sid


def test_63016_is_a_failure_without_one(
    desk: User, alice: User, delivery: Delivery, twilio: TwilioStub
) -> None:
    twilio.steps.append(Step(400, 63016))

    carry()

    assert (now_is(delivery), delivery.error_code) == ("failed", 63016)


def test_a_report_of_an_opt_out_is_one(delivery: Delivery, twilio: TwilioStub) -> None:
    carry()

    report(twilio.messages[0], "undelivered", 21610)

    assert Address.objects.get().opted_out_at is not None


# --- Our fault ------------------------------------------------------------------------------------


def test_a_wrong_key_pauses_the_number_and_loses_nothing(
    desk: User, alice: User, delivery: Delivery, twilio: TwilioStub, time_machine: Any
) -> None:
    """D1 A42."""
    reply(desk, alice, "Second")
    twilio.key = (ACCOUNT, "another-key-of-the-account")

    carry()
    sender = Sender.objects.get()
    assert sender.paused_until > timezone.now() + timedelta(minutes=4)
    assert "key" in sender.paused_reason
    assert len(twilio.asked) == 1
    carry_on(time_machine, within=timedelta(hours=1))
    assert 10 <= len(twilio.asked) <= 13

    twilio.key = (ACCOUNT, TOKEN)
    carry_on(time_machine)

    assert twilio.bodies() == ["An answer", "Second"]
    sender.refresh_from_db()
    assert (sender.paused_until, sender.paused_reason) == (None, "")


def test_another_number_goes_on(
    desk: User, alice: User, bob: User, delivery: Delivery, twilio: TwilioStub
) -> None:
    link(bob, "+14155550177")
    text_in("Hi", sender="+14155550177", to="+15005550009")
    reply(desk, bob, "Another's")
    twilio.steps.append(Step(400, 21606))

    carry()

    assert twilio.bodies() == ["Another's"]


def test_no_more_leaves_in_a_day_than_there_may(
    desk: User, alice: User, delivery: Delivery, twilio: TwilioStub, twilio_with: Any, time_machine: Any
) -> None:
    twilio_with(sends_per_day=2)
    time_machine.move_to("2026-05-04T20:00:00Z", tick=False)
    Delivery.objects.update(due_at=timezone.now(), created_at=timezone.now(), updated_at=timezone.now())
    for text in ("Two", "Three", "Four"):
        reply(desk, alice, text)

    carry()
    assert twilio.bodies() == ["An answer", "Two"]
    carry_on(time_machine)

    assert twilio.bodies() == ["An answer", "Two", "Three", "Four"]
    assert timezone.now().day == 5


# --- Notices --------------------------------------------------------------------------------------


def test_a_code_leaves_from_our_first_number(
    alice: User, desk: User, twilio: TwilioStub, twilio_with: Any
) -> None:
    """D1 A45."""
    twilio_with(countries=frozenset({"US"}))
    send_sms_code(alice, phone_number="+12025550123")
    written = code_of(LinkCode.objects.get())

    carry()

    [message] = twilio.messages
    assert (message.to, message.fields["From"]) == ("+12025550123", OURS)
    assert message.body.startswith(f"{written} is your code")


def test_no_code_leaves_for_a_number_that_wants_nothing(
    alice: User, bob: User, desk: User, twilio: TwilioStub, twilio_with: Any
) -> None:
    twilio_with(countries=frozenset({"US"}))
    link(alice, "+12025550123")
    text_in("STOP", sender="+12025550123")
    send_sms_code(bob, phone_number="+12025550123")
    carry()

    assert (Delivery.objects.get().state, twilio.asked) == ("skipped", [])


def test_strangers_are_invited_once(twilio: TwilioStub, desk: User, twilio_with: Any) -> None:
    """D1 A25."""
    twilio_with(unknown="invite")

    for _ in range(3):
        text_in("Hello?", sender="+14155550199")
    carry()

    assert [message.to for message in twilio.messages] == ["+14155550199"]


def test_help_by_whatsapp_is_answered(alice: User, desk: User, twilio: TwilioStub) -> None:
    """D1 A33."""
    link(alice, f"whatsapp:{PHONE}")
    link(alice)
    text_in("HELP", sender=f"whatsapp:{PHONE}", to=f"whatsapp:{OURS}")
    text_in("HELP")

    carry()

    assert [message.to for message in twilio.messages] == [f"whatsapp:{PHONE}"]
