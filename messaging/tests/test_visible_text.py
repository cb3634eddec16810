"""At least one character of a text is visible: not white space, and not default-ignorable in Unicode."""

from typing import Any

import pytest

from accounts.models import User
from conftest import ApiClient
from messaging.models import Message
from messaging.tests.answers import faults
from reports.models import Report
from tests.factories import MessageFactory

INVISIBLE = [
    *("\u3164", "\u115f", "\u00ad", "\u200b\u200d\ufeff", "\u202e\u2066", "\u034f", "\ufe0f", "\u2800"),
    *("\U000e0061" * 3, " \n\u2003\u3164\t\u00ad", "\u3164" * 20_000),
]
VISIBLE = [
    "\u3164x\u00ad",
    "\u2764\ufe0f",
    "\U0001f468\u200d\U0001f469\u200d\U0001f467",
    "\u3002",
    "\ue000",
    "\u0301",
]


@pytest.mark.parametrize("text", INVISIBLE)
def test_a_text_that_nobody_sees_is_refused(as_user: ApiClient, alice: User, bob: User, text: str) -> None:
    message = MessageFactory(sender=alice, recipient=bob, content="Noon?")
    alices = as_user(alice)
    talk = f"/auth/conversations/{message.conversation_id}/messages"
    report = alices.post("/reports", {"title": "Insults", "content": "Look."}).json()["id"]

    assert faults(alices.post("/messages", {"recipient_id": bob.pk, "content": text})) == {"content"}
    assert faults(alices.post(talk, {"content": text})) == {"content"}
    assert faults(alices.put(f"/messages/{message.pk}", {"content": text})) == {"content"}
    assert faults(alices.post("/reports", {"title": "Insults", "content": text})) == {"content"}
    assert faults(alices.post("/reports", {"title": text[:200], "content": "Look."})) == {"title"}
    assert faults(alices.put(f"/reports/{report}", {"title": text[:200]})) == {"title"}
    assert [kept.content for kept in Message.objects.all()] == ["Noon?"]
    assert [kept.title for kept in Report.objects.all()] == ["Insults"]


@pytest.mark.parametrize("text", VISIBLE)
def test_one_that_is_seen_is_kept_to_the_character(
    as_user: ApiClient, alice: User, bob: User, text: str
) -> None:
    sent: Any = as_user(alice).post("/messages", {"recipient_id": bob.pk, "content": text})
    filed: Any = as_user(alice).post("/reports", {"title": text, "content": text})

    assert (sent.status_code, filed.status_code) == (201, 201)
    assert sent.json()["content"] == filed.json()["content"] == filed.json()["title"] == text
