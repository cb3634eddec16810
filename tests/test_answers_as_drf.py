"""Lists and objects are answered without DRF's serializer fields; the bytes are the same."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db.models import Q
from rest_framework.renderers import JSONRenderer

from accounts.models import Session, User
from accounts.serializers import SessionSerializer, UserSerializer
from accounts.services.users import delete_user
from conftest import ApiClient
from messaging.models import Message
from messaging.selectors import conversations_of
from messaging.serializers import BlockSerializer, ConversationSerializer, MessageSerializer
from reports.models import Report
from reports.serializers import ReportSerializer
from reports.services import moderate_report
from tests.factories import BlockFactory, MessageFactory, ReportFactory, UserFactory

HOSTILE = [
    "plain",
    "Ünïcödé, 日本語, \u202eright to left",
    "emoji 😀👩‍👩‍👧‍👦",
    "\u2028 and \u2029 and \x85 and \ufeff",
    '"quotes" and \\backslashes\\ and </script> & \'',
    "controls \x01\x08\x0b\x0c\x1b\x1f\x7f\t\r\n",
    "x" * 20_000,
]


@pytest.fixture
def messages(alice: User, bob: User, carol: User) -> list[Message]:
    """Hostile texts, a message sent on a full second, and messages from and to a deleted account."""
    sent = [MessageFactory(sender=bob, recipient=alice, content=content) for content in HOSTILE]
    reply = MessageFactory(sender=alice, recipient=bob, parent_id=sent[0].pk)
    gone = UserFactory()
    sent += [
        reply,
        MessageFactory(sender=gone, recipient=alice),
        MessageFactory(sender=alice, recipient=gone),
    ]
    sent.append(
        MessageFactory(sender=carol, recipient=alice, created_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
    )
    delete_user(gone, actor=carol)
    return sent


def as_drf(serializer: Any, data: Any, many: bool = True) -> bytes:
    body: bytes = JSONRenderer().render(serializer(data, many=many).data)
    return body


@pytest.mark.django_db
def test_message_lists(as_user: ApiClient, alice: User, messages: list[Message]) -> None:
    client = as_user(alice)
    visible = Message.objects.visible_to(alice).order_by("pk")
    thread = visible.filter(conversation=messages[0].conversation_id)

    assert client.get("/messages").content == as_drf(MessageSerializer, visible)
    assert client.get("/messages/sent").content == as_drf(MessageSerializer, visible.filter(sender=alice))
    received = visible.filter(recipient=alice)
    assert client.get("/messages/received").content == as_drf(MessageSerializer, received)
    # the same through the filters, where the SQL is made anew
    assert client.get("/messages?created_after=2000-01-01").content == as_drf(MessageSerializer, visible)
    path = f"/auth/conversations/{messages[0].conversation_id}/messages"
    assert client.get(path).content == as_drf(MessageSerializer, thread)
    assert visible.filter(Q(sender=None) | Q(recipient=None)).count() == 2


@pytest.mark.django_db
def test_single_objects(as_user: ApiClient, alice: User, messages: list[Message]) -> None:
    User.objects.filter(pk=alice.pk).update(bio="\u2028", created_at=datetime(2026, 1, 2, tzinfo=UTC))
    client = as_user(alice)

    for message in Message.objects.visible_to(alice):
        expected = as_drf(MessageSerializer, message, many=False)
        assert client.get(f"/messages/{message.pk}").content == expected
    assert client.get("/auth/me").content == as_drf(UserSerializer, User.objects.get(pk=alice.pk), many=False)


@pytest.mark.django_db
def test_a_message_that_is_sent(as_user: ApiClient, alice: User, bob: User) -> None:
    for content in HOSTILE:
        answer = as_user(alice).post("/messages", {"recipient_id": bob.pk, "content": content})

        assert answer.content == as_drf(MessageSerializer, Message.objects.latest("pk"), many=False)


@pytest.mark.django_db
def test_conversations(as_user: ApiClient, alice: User, messages: list[Message]) -> None:
    seen = conversations_of(alice).order_by("-last_message_id")

    answer = as_user(alice).get("/auth/conversations")

    assert answer.content == as_drf(ConversationSerializer, seen)
    assert {item["other_user_name"] for item in answer.json()} == {"bob", "carol", "Deleted user"}


@pytest.mark.django_db
def test_reports(as_user: ApiClient, alice: User, superuser: User, messages: list[Message]) -> None:
    reports = [ReportFactory(reporter=alice, content=content, title="\u2029") for content in HOSTILE]
    moderate_report(reports[0], actor=superuser, status="resolved", comment="😀")
    client = as_user(alice)
    own = Report.objects.with_names().filter(reporter=alice).order_by("-pk")

    filed = client.post("/reports", {"title": "a", "content": "b", "message_id": messages[0].pk})

    assert filed.content == as_drf(ReportSerializer, own.latest("pk"), many=False)
    assert client.get("/reports").content == as_drf(ReportSerializer, own)
    assert client.get("/reports?status=open").content == as_drf(ReportSerializer, own.filter(status="open"))
    for user in (alice, superuser):
        path = f"/reports/{reports[0].pk}"
        expected = as_drf(ReportSerializer, own.get(pk=reports[0].pk), many=False)
        assert as_user(user).get(path).content == expected


@pytest.mark.django_db
def test_sessions_and_blocks(as_user: ApiClient, alice: User, mallory: User) -> None:
    as_user(alice, device_info="\u2028 phone", ip_address="192.0.2.7")
    as_user(alice, ip_address="2001:db8::1")
    client = as_user(alice)
    Session.objects.update(last_used_at=datetime.now(UTC).replace(microsecond=0) - timedelta(seconds=5))
    block = BlockFactory(blocker=alice, blocked=mallory)
    sessions = list(Session.objects.filter(user=alice).order_by("-pk"))
    for session in sessions:
        session.is_current = session.pk == client.session_row.pk

    assert client.get("/auth/sessions").content == as_drf(SessionSerializer, sessions)
    assert client.get("/auth/blocks").content == as_drf(BlockSerializer, [block])
