"""STOP, START and HELP, and messages that come too fast."""

from typing import Any

import pytest
from pytest_django import Settings

from accounts.models import User
from channels.models import Address
from channels.tests.incoming import Outcome, contents, notices, outcomes
from channels.tests.webhook import Twilio, sms, whatsapp
from messaging.models import Message
from messaging.services import extensions

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("ann_linked")]


def opted_out() -> dict[str, bool]:
    return {one.channel.value: one.opted_out for one in Address.objects.all()}


@pytest.mark.parametrize(
    "fields",
    [
        {"OptOutType": "STOP", "Body": "Arrêt"},  # A29
        {"Body": "sToP "},  # A30
        *({"Body": word} for word in ("STOP", "stopall", "Unsubscribe", "END", "quit", "Cancel", "revoke")),
        {"Body": "\n optout\n"},
    ],
)
def test_stop_is_no_message(
    twilio_calls: Twilio, ann: User, as_user: Any, fields: dict[str, str]
) -> None:  # A29, A30
    twilio_calls.post(sms(**fields))

    assert (outcomes(), contents(), notices()) == ([Outcome.KEYWORD], [], [])
    assert opted_out() == {"sms": True, "whatsapp": False}
    shown = as_user(ann).get("/auth/me/phone").json()["addresses"]
    assert [one["opted_out"] for one in shown] == [True, False]


@pytest.mark.parametrize("body", ["Stop please", "stop.", "No", "yes", "S T O P", "STOP STOP", "help me", ""])
def test_other_words_are_messages(twilio_calls: Twilio, body: str) -> None:  # A30
    twilio_calls.post(sms(body))

    assert contents() == ([body] if body else [])
    assert opted_out() == {"sms": False, "whatsapp": False}


@pytest.mark.parametrize(
    "fields", [{"OptOutType": "START", "Body": "x"}, {"Body": "Start"}, {"Body": "unstop"}, {"Body": "YES"}]
)
def test_start_takes_stop_back(twilio_calls: Twilio, fields: dict[str, str]) -> None:  # A32
    twilio_calls.post(sms("STOP"))
    twilio_calls.post(sms("While out"))
    twilio_calls.post(sms(**fields))
    twilio_calls.post(sms("Back"))

    assert opted_out() == {"sms": False, "whatsapp": False}
    assert contents() == ["While out", "Back"]
    assert outcomes() == ["keyword", "unanswered", "keyword", "stored"]


def test_an_opt_out_type_that_nobody_knows_is_none(twilio_calls: Twilio) -> None:
    twilio_calls.post(sms("Hello", OptOutType="WHATEVER"))

    assert contents() == ["Hello"]


def test_help_is_answered_where_twilio_does_not(twilio_calls: Twilio) -> None:  # A33
    twilio_calls.post(sms("HELP"))
    twilio_calls.post(sms("x", OptOutType="HELP"))
    twilio_calls.post(whatsapp("x", OptOutType="HELP"))
    assert notices() == []
    twilio_calls.post(whatsapp("Help"))
    assert notices() == ["help"]
    twilio_calls.post(whatsapp("STOP"))
    twilio_calls.post(whatsapp("HELP"))

    assert notices() == ["help"]
    assert contents() == []


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, bool]]:
    """What followers see, and whether it is to be answered."""
    found: list[tuple[str, bool]] = []

    def follow(message: Message, receiver: extensions.Receiver) -> None:
        found.append((message.content, not extensions.unanswered.get()))

    monkeypatch.setattr(extensions, "followers", [follow])
    return found


def test_more_than_the_rate_is_stored_and_not_answered(
    twilio_calls: Twilio, settings: Settings, heard: list[tuple[str, bool]]
) -> None:  # A47
    settings.THROTTLE_RATES = {**settings.THROTTLE_RATES, "channel": (30, 60)}
    for number in range(31):
        assert twilio_calls.post(sms(f"{number}")).status_code == 200
    twilio_calls.post(whatsapp("By another way"))

    assert len(contents()) == 32
    assert [answered for _, answered in heard] == [True] * 30 + [False, True]
    assert outcomes()[29:] == ["stored", "unanswered", "stored"]
    assert not extensions.unanswered.get()


def test_what_is_written_after_stop_is_stored_and_not_answered(
    twilio_calls: Twilio, heard: list[tuple[str, bool]]
) -> None:
    twilio_calls.post(sms("STOP"))
    twilio_calls.post(sms("Still here"))

    assert heard == [("Still here", False)]


def test_it_is_stored_also_where_too_many_wait_for_answers(
    twilio_calls: Twilio, heard: list[tuple[str, bool]], monkeypatch: pytest.MonkeyPatch
) -> None:
    from aimessage.api.problems import TooManyRequests

    def check(sender: User, receiver: extensions.Receiver) -> None:
        if not extensions.unanswered.get():
            raise TooManyRequests("Too many wait", retry_after=60)

    monkeypatch.setattr(extensions, "checks", [check])
    assert twilio_calls.post(sms()).status_code == 200

    assert (outcomes(), heard) == ([Outcome.UNANSWERED], [("Hello", False)])
