"""How many queries a request takes: one table for every endpoint that clients call often."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from aimessage.events.reading import current_epoch
from assistant.account import get_profile, get_thread
from conftest import ApiClient
from tests.factories import MessageFactory, ReplyFactory, ReportFactory

#: 1 where the database reads sent and received messages in two queries.
APART = int(not connection.features.supports_slicing_ordering_in_compound)

# Each begins with the session and its user, in one query. BEGIN and COMMIT are not counted.
QUERIES = [
    ("get", "/auth/me", None, 1),
    ("get", "/auth/sessions", None, 2),
    ("get", "/auth/tokens", None, 2),
    ("get", "/auth/config", None, 0),
    ("get", "/auth/preferences", None, 2),
    ("get", "/auth/blocks", None, 2),
    ("get", "/auth/directory?search=bo", None, 2),
    ("get", "/auth/people?ids=1,2,3", None, 2),
    ("get", "/auth/conversations", None, 2),
    ("get", "/auth/conversations/{conversation}/messages", None, 2),
    ("get", "/messages", None, 2 + APART),
    ("get", "/messages?search=noon&created_after=2000-01-01&with_user=1", None, 2 + APART),
    # on SQLite others for `prev`: is one newer
    ("get", "/messages?limit=1&before={message}", None, 2 + 3 * APART),
    ("get", "/messages/sent", None, 2),
    ("get", "/messages/received", None, 2),
    ("get", "/messages/{message}", None, 2),
    ("get", "/messages/unread/count", None, 2),
    # the profile, what of its conversation is forgotten, the messages
    ("get", "/messages/history", None, 5),
    # the profile, the thread, what is used
    ("get", "/assistant", None, 4),
    ("get", "/assistant/replies", None, 2),
    ("get", "/assistant/replies/{reply}", None, 2),
    ("get", "/reports", None, 2),
    ("get", "/reports/{report}", None, 2),
    # where the log is, and of which epoch
    ("get", "/events", None, 3),
    # those that have expired, and the new one
    ("post", "/events/ticket", None, 3),
    # who takes part, who is blocked, the event
    ("post", "/auth/conversations/{conversation}/typing", None, 4),
    # what it is, the update, the event
    ("put", "/messages/{message}/read", None, 4),
    # the lock, who takes part and is blocked, the message, both participants' last message, the event
    ("post", "/messages", {"recipient_id": "{bob}", "content": "hello"}, 6),
]


@pytest.mark.django_db
@pytest.mark.usefixtures("assistant_on")
@pytest.mark.parametrize("rows", [2, 30])
@pytest.mark.parametrize(
    ("method", "path", "body", "queries"), QUERIES, ids=[f"{method} {path}" for method, path, *_ in QUERIES]
)
def test_a_request_takes_a_constant_number_of_queries(
    as_user: ApiClient,
    alice: User,
    bob: User,
    rows: int,
    method: str,
    path: str,
    body: dict[str, Any] | None,
    queries: int,
) -> None:
    messages = [MessageFactory(sender=bob, recipient=alice) for _ in range(rows)]
    reports = [ReportFactory(reporter=alice) for _ in range(rows)]
    replies = [ReplyFactory(asker=alice) for _ in range(rows)]
    get_thread(alice, get_profile())
    names = {
        "conversation": messages[0].conversation_id,
        "message": messages[-1].pk,
        "report": reports[0].pk,
        "reply": replies[0].pk,
    }
    if body:
        body = {name: bob.pk if value == "{bob}" else value for name, value in body.items()}
    ask: Callable[..., Any] = getattr(as_user(alice), method)
    current_epoch()  # a new database's first request makes it

    with CaptureQueriesContext(
        connection,
    ) as captured:
        answer = ask(path.format(**names), body)

    counted = [query["sql"] for query in captured if query["sql"] not in ("BEGIN", "COMMIT")]
    counted = [sql for sql in counted if "SAVEPOINT" not in sql]
    assert answer.status_code in (200, 201, 204), answer.content
    assert len(counted) == queries, counted
