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
from tests.api_catalogue import CATALOGUE, make_given
from tests.factories import MessageFactory, ReplyFactory, ReportFactory

#: 1 where the database reads sent and received messages in two queries.
APART = int(not connection.features.supports_slicing_ordering_in_compound)

# By operation and query. The first query reads the session and its user. BEGIN and COMMIT are not counted.
QUERIES = [
    ("get_me", "", 1),
    ("list_sessions", "", 2),
    ("list_tokens", "", 2),
    ("get_config", "", 0),
    ("get_preferences", "", 2),
    ("list_blocks", "", 2),
    ("search_directory", "", 2),
    ("list_people", "", 2),
    ("list_conversations", "", 2),
    ("list_conversation_messages", "", 2),
    ("list_messages", "", 2 + APART),
    ("list_messages", "?search=noon&created_after=2000-01-01&with_user=1", 2 + APART),
    # on SQLite more for `prev`: is there a newer one?
    ("list_messages", "?limit=1&before={message}", 2 + 3 * APART),
    ("list_sent_messages", "", 2),
    ("list_received_messages", "", 2),
    ("get_message", "", 2),
    ("get_unread_count", "", 2),
    # the profile, what of its conversation is forgotten, the messages
    ("get_history", "", 5),
    # the profile, the thread, today's use
    ("get_assistant", "", 4),
    ("list_replies", "", 2),
    ("get_reply", "", 2),
    ("list_reports", "", 2),
    ("get_report", "", 2),
    # the end of the log, and its epoch
    ("list_events", "", 3),
    # tickets that have expired, and the new one
    ("make_stream_ticket", "", 3),
    # who takes part, who is blocked, the event
    ("show_typing", "", 4),
    # the message, the update, the event
    ("mark_message_read", "", 4),
    # the lock with who takes part and is blocked, the message, both participants' last message, the event
    ("send_message", "", 5),
]
#: Operations that apps read rarely, or that read no rows.
NOT_COUNTED = {
    *("get_security", "get_phone", "list_deliveries", "stream_events"),
    *("get_root", "check_health", "check_database", "get_openapi", "/chat", "/docs", "/redoc"),
}


def test_whatever_can_be_read_is_counted() -> None:
    """Among operations that write, QUERIES has those that apps call often."""
    counted = {name for name, *_ in QUERIES}

    assert counted <= set(CATALOGUE)
    assert {
        name for name, operation in CATALOGUE.items() if operation.method == "GET"
    } - counted == NOT_COUNTED


@pytest.mark.django_db
@pytest.mark.usefixtures("assistant_on")
@pytest.mark.parametrize("rows", [2, 30])
@pytest.mark.parametrize(("name", "query", "queries"), QUERIES)
def test_a_request_takes_a_constant_number_of_queries(
    as_user: ApiClient, alice: User, bob: User, rows: int, name: str, query: str, queries: int
) -> None:
    operation, given = CATALOGUE[name], make_given(alice, bob)
    for _ in range(rows):
        MessageFactory(sender=bob, recipient=alice)
        ReportFactory(reporter=alice)
        ReplyFactory(asker=alice)
    get_thread(alice, get_profile())
    url = given.url(operation) + query.format(**given.ids)
    ask: Callable[..., Any] = getattr(as_user(alice), operation.method.lower())
    current_epoch()  # a new database's first request makes it

    with CaptureQueriesContext(connection) as captured:
        answer = ask(url, given.body(operation))

    counted = [query["sql"] for query in captured if query["sql"] not in ("BEGIN", "COMMIT")]
    counted = [sql for sql in counted if "SAVEPOINT" not in sql]
    assert answer.status_code in (200, 201, 204), answer.content
    assert len(counted) == queries, counted
