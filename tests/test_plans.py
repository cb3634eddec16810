"""What PostgreSQL reads for a list or a count: by an index, and as much as the page holds."""

import json
import re
from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest
from django.db import connection
from pytest_django.plugin import DjangoDbBlocker
from rest_framework.test import APIClient

from accounts.models import User
from accounts.services.sessions import open_session
from aimessage.db.postgresql.cursors import PlannedCursor
from tests.factories import UserFactory

pytestmark = [pytest.mark.postgres, pytest.mark.django_db]

#: alice has a fifth of them, spread over her conversations; she sent half of those. Two other people have one
#: conversation that is as long as a hundred others.
MESSAGES = 20_000
TALKATIVE = (1000098, 1000099)
PEOPLE = 3_000
LIMIT = 20
#: Rows read for a page of LIMIT items. A fifth of all rows are alice's, so that a walk reads five for one.
PAGE = 12 * LIMIT

HISTORY = f"""
    INSERT INTO accounts_user (id, created_at, updated_at, password, is_superuser, is_staff, is_active,
        username, username_key, email, email_key, name_words)
    OVERRIDING SYSTEM VALUE
    SELECT i, now(), now(), '!', false, false, true, 'p' || i, 'p' || i, 'p' || i, 'p' || i, ' p' || i
    FROM generate_series(1000001, 1000000 + {PEOPLE}) i;
    INSERT INTO accounts_session (created_at, updated_at, session_token, is_active, last_used_at,
        expires_at, user_id)
    SELECT now(), now(), 's' || i, true, now(), now() + interval '1 day', 1000000 + i
    FROM generate_series(1, {PEOPLE}) i;
    CREATE TEMPORARY TABLE said ON COMMIT DROP AS
    SELECT i,
        CASE WHEN i %% 5 = 0 THEN %(alice)s WHEN i %% 100 = 3 THEN {TALKATIVE[0]} ELSE 1000001 + i %% 97 END
            AS one,
        CASE WHEN i %% 5 > 0 AND i %% 100 = 3 THEN {TALKATIVE[1]} ELSE 1000101 + (i / 5) %% 100 END AS other,
        i %% 2 = 0 AS turned
    FROM generate_series(1, {MESSAGES}) i;
    INSERT INTO messaging_conversation (id, created_at)
    SELECT DISTINCT 'conv_' || least(one, other) || '_' || greatest(one, other), now() FROM said;
    INSERT INTO messaging_message (id, created_at, updated_at, content, is_read, deleted_by_recipient,
        conversation_id, sender_id, recipient_id)
    OVERRIDING SYSTEM VALUE
    SELECT i, now() - ({MESSAGES} - i) * interval '1 minute', now(),
        CASE WHEN i %% 1000 = 0 THEN 'rhubarb pie' ELSE 'see you ' || md5(i::text) END, i < {MESSAGES} - 100,
        false, 'conv_' || least(one, other) || '_' || greatest(one, other),
        CASE WHEN turned THEN one ELSE other END, CASE WHEN turned THEN other ELSE one END
    FROM said;
    INSERT INTO messaging_participant (conversation_id, user_id, last_message_id)
    SELECT conversation_id, unnest(array[min(sender_id), max(sender_id)]), max(id)
    FROM (SELECT conversation_id, sender_id, id FROM messaging_message
        UNION ALL SELECT conversation_id, recipient_id, id FROM messaging_message) both_ends
    GROUP BY conversation_id;
    INSERT INTO reports_report (created_at, updated_at, title, content, status, reporter_id)
    SELECT now(), now(), 'r', 'r', (array['open', 'in_progress'])[1 + i %% 2],
        CASE WHEN i %% 5 = 0 THEN %(alice)s ELSE 1000001 + i %% {PEOPLE} END
    FROM generate_series(1, 5000) i;
    SELECT gin_clean_pending_list('message_search'), gin_clean_pending_list('user_name_words'),
        brin_summarize_new_values('message_created');
    ANALYZE;
    -- or each test would check all of it once more at its end
    SET CONSTRAINTS ALL IMMEDIATE;
    SET CONSTRAINTS ALL DEFERRED
"""  # noqa: S608


@pytest.fixture(scope="module")
def history(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[User]:
    """alice, with all those messages around her, for the tests of this module."""
    if connection.vendor != "postgresql":
        pytest.skip("SQLite's plans are another matter")
    with django_db_blocker.unblock():
        from django.db import transaction

        with transaction.atomic():
            alice = UserFactory(username="alice")
            with connection.cursor() as cursor:
                cursor.execute(HISTORY, {"alice": alice.pk})
            yield alice
            transaction.set_rollback(True)


@pytest.fixture
def me(history: User) -> APIClient:
    me = APIClient()
    _, tokens = open_session(history)
    me.credentials(HTTP_AUTHORIZATION=f"Bearer {tokens.access_token}")
    return me


def explained(me: APIClient, path: str, status: int = 200) -> list[dict[str, Any]]:
    """The nodes of the plans of what the request reads, as they ran."""
    seen: list[tuple[str, Any, bool]] = []

    def note(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        seen.append((sql, params, isinstance(context["cursor"].cursor, PlannedCursor)))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        assert me.get(path).status_code == status
    plans = [_explain(*one) for one in seen if one[0].lstrip("(").startswith("SELECT")]
    return [node for plan in plans for node in _nodes(plan)]


def _explain(sql: str, params: Any, kept: bool) -> dict[str, Any]:
    """The plan with these values, or the one that is kept for all of them."""
    with connection.cursor() as cursor:
        if kept:
            numbers = count(1)
            statement = re.sub("%s", lambda _: f"${next(numbers)}", sql)
            cursor.execute("SELECT name FROM pg_prepared_statements WHERE statement = %s", [statement])
            sql = f'EXECUTE "{cursor.fetchone()[0]}"({", ".join(["%s"] * len(params))})'
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}", params)
        (plan,) = cursor.fetchone()
    found: dict[str, Any] = (json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"]
    return found


def _nodes(plan: dict[str, Any]) -> list[dict[str, Any]]:
    return [plan, *(node for part in plan.get("Plans", []) for node in _nodes(part))]


def rows_read(nodes: list[dict[str, Any]]) -> int:
    removed = ("Rows Removed by Filter", "Rows Removed by Index Recheck")
    scans = [node for node in nodes if "Scan" in node["Node Type"]]
    return sum(
        node["Actual Loops"] * (node["Actual Rows"] + sum(node.get(name, 0) for name in removed))
        for node in scans
    )


@pytest.mark.parametrize(
    ("path", "rows"),
    [
        ("/auth/me", 4),
        (f"/messages/{MESSAGES}", 8),
        ("/messages/unread/count", 60),
        (f"/messages?limit={LIMIT}", PAGE),
        (f"/messages?limit={LIMIT}&before={MESSAGES // 2}", PAGE + 20),
        (f"/messages?limit={LIMIT}&after={MESSAGES // 2}", PAGE + 20),
        (f"/messages?limit={LIMIT}&skip=40", PAGE + 40),
        (f"/messages/sent?limit={LIMIT}", PAGE),
        (f"/messages/sent?limit={LIMIT}&skip=40", PAGE + 40),
        (f"/messages/received?limit={LIMIT}", PAGE),
        (f"/messages/received?limit={LIMIT}&unread_only=true", PAGE),
        (f"/messages?limit={LIMIT}&unread_only=true", 2 * PAGE),
        (f"/messages?limit={LIMIT}&created_before=9000-01-01", PAGE),
        (f"/messages?limit={LIMIT}&created_after=2000-01-01", PAGE),
        (f"/messages?limit={LIMIT}&created_after=9000-01-01", PAGE),
        (f"/messages?limit={LIMIT}&created_before=2000-01-01", PAGE),
        (f"/messages?limit={LIMIT}&search=see", PAGE),
        (f"/messages?limit={LIMIT}&search=rhubarb", PAGE),
        (f"/messages?limit={LIMIT}&search=zeppelin", PAGE),
        (f"/auth/conversations?limit={LIMIT}", 8 * LIMIT),
        (f"/auth/conversations?limit={LIMIT}&skip=40", 8 * (LIMIT + 40)),
        (f"/reports?limit={LIMIT}", PAGE),
        (f"/reports?limit={LIMIT}&status=open", 2 * PAGE),
        ("/auth/sessions", 500),
        ("/auth/blocks", 8),
        ("/auth/directory?search=p1000001", 20),
    ],
)
def test_a_page_costs_what_the_page_holds(me: APIClient, path: str, rows: int) -> None:
    nodes = explained(me, path)

    # PostgreSQL reads a table of a page or two from end to end, and rightly.
    scanned = {node["Relation Name"] for node in nodes if node["Node Type"] == "Seq Scan"}
    assert scanned <= {"messaging_block", "assistant_profile"}
    assert 0 < rows_read(nodes) <= rows


def test_a_conversations_page_costs_what_the_page_holds(me: APIClient, history: User) -> None:
    ids = sorted((history.pk, 1000104))
    path = f"/auth/conversations/conv_{ids[0]}_{ids[1]}/messages"

    for query in (f"limit={LIMIT}", f"limit={LIMIT}&before={MESSAGES // 2}", f"limit={LIMIT}&skip=2"):
        nodes = explained(me, f"{path}?{query}")

        assert "Seq Scan" not in {node["Node Type"] for node in nodes}
        assert 0 < rows_read(nodes) <= PAGE


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/auth/conversations/{}/messages?", 404),
        ("/auth/conversations/{}/messages?search=see&", 404),
        ("/messages?conversation_id={}&", 200),
        ("/messages/sent?conversation_id={}&", 200),
        ("/messages?search=see&conversation_id={}&", 200),
        ("/messages?unread_only=true&conversation_id={}&", 200),
    ],
)
@pytest.mark.parametrize("page", [f"limit={LIMIT}", "skip=1", f"before={MESSAGES // 2}"])
def test_nothing_is_read_of_a_conversation_of_others(
    me: APIClient, path: str, status: int, page: str
) -> None:
    """Otherwise the response time would tell how much they write to each other."""
    one, other = TALKATIVE

    nodes = explained(me, path.format(f"conv_{one}_{other}") + page, status)

    read = [node for node in nodes if node.get("Relation Name") == "messaging_message"]
    assert read
    assert {node["Actual Loops"] for node in read} == {0}


@pytest.mark.parametrize("path", ["/auth/conversations/{}/messages?", "/messages?conversation_id={}&"])
@pytest.mark.parametrize("query", ["", f"&before={MESSAGES // 2}", f"&after={MESSAGES // 2}"])
def test_a_page_of_a_long_conversation_is_not_sorted_out_of_all_of_it(
    history: User, path: str, query: str
) -> None:
    one, other = TALKATIVE
    _, tokens = open_session(User.objects.get(pk=one))
    me = APIClient()
    me.credentials(HTTP_AUTHORIZATION=f"Bearer {tokens.access_token}")
    with connection.cursor() as cursor:
        # PostgreSQL is to believe in a million messages, while this conversation still has two hundred.
        cursor.execute("UPDATE pg_class SET reltuples = 50 * reltuples WHERE relname LIKE 'messag%'")

    nodes = explained(me, f"{path.format(f'conv_{one}_{other}')}limit={LIMIT}{query}")

    assert "message_conversation" in {node.get("Index Name") for node in nodes}
    assert not {node["Node Type"] for node in nodes} & {"Seq Scan", "Bitmap Heap Scan"}
    # The one on the other side of the cursor stands in an order of its own.
    assert {node["Actual Rows"] for node in nodes if node["Node Type"] == "Sort"} <= {1}
    assert 0 < rows_read(nodes) <= 2 * LIMIT + 8


def test_no_search_reads_a_long_list_of_what_is_not_in_the_index_yet(db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT reloptions FROM pg_class WHERE relname = 'message_search'")
        assert cursor.fetchone() == (["gin_pending_list_limit=128"],)


def test_unread_messages_are_counted_in_the_index(me: APIClient) -> None:
    nodes = explained(me, "/messages/unread/count")

    assert "message_unread" in {node.get("Index Name") for node in nodes}
