"""The filters of the message lists: unread_only, conversation_id, with_user, created_…, and together."""

from typing import Any

import pytest
from rest_framework.test import APIClient

from accounts.models import User
from conftest import ApiClient
from messaging.models import Message
from messaging.tests.answers import faults, pages
from messaging.views.conversations import CONVERSATION_MESSAGES
from messaging.views.messages import MESSAGES, RECEIVED, SENT, VISIBLE
from tests.factories import MessageFactory

NINE, TEN, ELEVEN = (f"2026-01-02T{hour:02}:00:00Z" for hour in (9, 10, 11))


@pytest.fixture
def messages(alice: User, bob: User, carol: User) -> dict[str, Message]:
    """Five by name; alice sees all of them but the last."""
    made = {
        "sent": MessageFactory(sender=alice, recipient=bob, content="tea at four", created_at=NINE),
        "read": MessageFactory(sender=bob, recipient=alice, is_read=True, created_at=TEN),
        "unread": MessageFactory(sender=bob, recipient=alice, content="Tea it is", created_at=ELEVEN),
        "aside": MessageFactory(sender=carol, recipient=alice, conversation_id="tea", created_at=ELEVEN),
        "foreign": MessageFactory(sender=bob, recipient=carol, content="tea?", created_at=TEN),
    }
    return made


def found(as_user: ApiClient, user: User, messages: dict[str, Message], url: str) -> list[str]:
    """The names of the messages that `user` gets at `url`."""
    names = {message.pk: name for name, message in messages.items()}
    answer = as_user(user).get(url)
    assert answer.status_code == 200, answer.json()
    return [names[item["id"]] for item in answer.json()]


LEFT = [
    ("/messages?unread_only=true", ["unread", "aside"]),
    ("/messages/received?unread_only=true", ["unread", "aside"]),
    ("/messages?unread_only=True", ["unread", "aside"]),
    ("/messages?unread_only=1", ["unread", "aside"]),
    ("/messages?unread_only=false", ["sent", "read", "unread", "aside"]),
    ("/messages?unread_only=", ["sent", "read", "unread", "aside"]),
    ("/messages?with_user={bob}", ["sent", "read", "unread"]),
    ("/messages/sent?with_user={bob}", ["sent"]),
    ("/messages/received?with_user={bob}", ["read", "unread"]),
    ("/messages?with_user={carol}", ["aside"]),
    ("/messages?with_user={alice}", []),
    ("/messages?with_user=0", []),
    ("/messages?with_user=-1", []),
    ("/messages?with_user=99999999999999999999", []),
    ("/messages?conversation_id=tea", ["aside"]),
    ("/messages?conversation_id=conv_{alice}_{bob}", ["sent", "read", "unread"]),
    ("/messages?conversation_id=conv_{bob}_{carol}", []),
    ("/messages?conversation_id=none", []),
    ("/messages?created_after=2026-01-02T10:00:00Z", ["unread", "aside"]),
    ("/messages?created_before=2026-01-02T10:00:00Z", ["sent"]),
    ("/messages?created_after=2026-01-02T09:59:59.999999Z", ["read", "unread", "aside"]),
    ("/messages?created_after=2026-01-02T10:00:00", ["unread", "aside"]),
    ("/messages?created_after=2026-01-02T12:00:00%2B02:00", ["unread", "aside"]),
    ("/messages?created_after=2026-01-02T12:00:00+02:00", ["unread", "aside"]),
    ("/messages?created_after=2026-01-02T04:30:00-05:00", ["read", "unread", "aside"]),
    ("/messages?created_after=2026-01-02 10:00:00", ["unread", "aside"]),
    ("/messages?created_after=2026-01-02 12:00:00+02:00", ["unread", "aside"]),
    ("/messages?created_after=2026-01-02%2012:00:00%2B0200", ["unread", "aside"]),
    ("/messages?created_after=2026-01-02t10:00:00z", ["unread", "aside"]),
    ("/messages?created_after=20260102T100000Z", ["unread", "aside"]),
    ("/messages?created_after=2026-W01-5T10:00", ["unread", "aside"]),
    ("/messages?created_after=2026-01-02T09:59:59,5Z", ["read", "unread", "aside"]),
    ("/messages?created_after=2026-01-02", ["sent", "read", "unread", "aside"]),
    ("/messages?created_before=2026-01-02", []),
    ("/messages?created_after=2026-01-02T09:00Z&created_before=2026-01-02T11:00Z", ["read"]),
    ("/messages?created_after=0001-01-01T00:00:00Z", ["sent", "read", "unread", "aside"]),
    ("/messages?created_before=9999-12-31T23:59:59Z", ["sent", "read", "unread", "aside"]),
    ("/messages?search=tea", ["sent", "unread"]),
    ("/messages?search=tea&with_user={bob}&unread_only=true", ["unread"]),
    (
        "/messages?search=tea&conversation_id=conv_{alice}_{bob}&created_before=2026-01-02T10:00Z",
        ["sent"],
    ),
    ("/messages/sent?search=tea&created_after=2026-01-02T10:00Z", []),
    ("/messages?unread_only=true&skip=1", ["unread"]),
    ("/messages?nonsense=1", ["sent", "read", "unread", "aside"]),
    ("/auth/conversations/conv_{alice}_{bob}/messages?unread_only=true", ["unread"]),
    (
        "/auth/conversations/conv_{alice}_{bob}/messages?search=tea&created_before=2026-01-02T10:00Z",
        ["sent"],
    ),
    ("/auth/conversations/conv_{alice}_{bob}/messages?conversation_id=tea", []),
    ("/auth/conversations/tea/messages?with_user={carol}", ["aside"]),
]


@pytest.mark.parametrize(("url", "names"), LEFT)
def test_filter_leaves(
    as_user: ApiClient,
    alice: User,
    bob: User,
    carol: User,
    messages: dict[str, Message],
    url: str,
    names: list[str],
) -> None:
    url = url.format(alice=alice.pk, bob=bob.pk, carol=carol.pk)

    assert found(as_user, alice, messages, url) == names


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("unread_only=maybe", "unread_only"),
        ("with_user=bob", "with_user"),
        ("with_user=-2", "with_user"),
        ("with_user=2.7", "with_user"),
        ("created_after=yesterday", "created_after"),
        ("created_after=2026-01-02x10:00:00", "created_after"),
        ("created_after=2026-01-0210:00:00", "created_after"),
        ("created_after=2026-01-02T10:00:00 Z", "created_after"),
        ("created_after=2026-01-02T", "created_after"),
        ("created_after=2026-02-30", "created_after"),
        ("created_after=\u0662\u0660\u0662\u0666-01-02", "created_after"),
        ("created_after=2026-01-02T10:00:00%2B24:00", "created_after"),
        ("created_after=2026-13-01T00:00:00Z", "created_after"),
        ("created_before=1767348000", "created_before"),
        ("created_before=0001-01-01T00:00:00%2B14:00", "created_before"),
        ("created_before=9999-12-31T23:59:59-14:00", "created_before"),
        ("search=" + "x" * 201, "search"),
        ("search=x" + "%20" * 200, "search"),
    ],
)
def test_filter_refuses(
    as_user: ApiClient, alice: User, messages: dict[str, Message], query: str, field: str
) -> None:
    conversation = f"/auth/conversations/{messages['sent'].conversation_id}/messages"
    client = as_user(alice)

    paths = ["/messages", "/messages/sent", "/messages/received", conversation]

    assert [faults(client.get(f"{path}?{query}")) for path in paths] == [{field}] * 4


def test_filter_refuses_nul(as_user: ApiClient, alice: User) -> None:
    assert as_user(alice).get("/messages?search=%00").status_code == 400
    assert as_user(alice).get("/messages?conversation_id=a%00").status_code == 400


def test_filter_holds_on_every_page(as_user: ApiClient, alice: User, bob: User, carol: User) -> None:
    wanted = [MessageFactory(sender=alice, recipient=bob).pk]
    for _ in range(4):
        MessageFactory(sender=carol, recipient=alice)
        wanted.append(MessageFactory(sender=bob, recipient=alice).pk)

    walked = list(pages(as_user(alice), f"/messages?limit=2&with_user={bob.pk}"))

    assert [item["id"] for page in reversed(walked) for item in page] == wanted


def test_everybody_gets_the_same_whoever_asked_before(
    as_user: ApiClient, alice: User, bob: User, carol: User, messages: dict[str, Message]
) -> None:
    """A list's SQL is compiled for whoever asks first, and serves everybody else as well."""
    lists = [MESSAGES, SENT, RECEIVED, CONVERSATION_MESSAGES, VISIBLE]
    urls = [url.format(alice=alice.pk, bob=bob.pk, carol=carol.pk) for url, _ in LEFT]
    urls += ["/messages", "/messages/sent", "/messages/received", "/messages?after=0"]
    clients = [as_user(user) for user in (alice, bob, carol)]

    def forget() -> None:
        for one in lists:
            one._compiled.clear()

    def ask(client: APIClient, url: str) -> Any:
        answer = client.get(url)
        return [item["id"] for item in answer.json()] if answer.status_code == 200 else answer.status_code

    new = {}
    for url in urls:
        for client in clients:
            forget()
            new[url, client] = ask(client, url)
    for makers in (clients, clients[::-1]):
        forget()
        kept = {(url, client): ask(client, url) for url in urls for client in makers}
        assert kept == new
    assert len({str(found) for found in new.values()}) > 10, "not just empty lists"
