"""The rows that the benchmark loads are what the application itself would have written."""

import sqlite3
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import psycopg
import pytest
from django.contrib.auth.hashers import BCryptSHA256PasswordHasher
from django.db import connection
from django.db.models import Count, F, Q
from psycopg.conninfo import make_conninfo

from accounts.models import Session, User
from messaging.models import Conversation, Message, Participant, default_conversation_id
from reports.models import Report
from tools.benchmarks import data, loading
from tools.benchmarks.data import HOT, ORDINARY, History, Shape

TINY = Shape(
    messages=2_000,
    users=120,
    reports=300,
    hot_conversations=40,
    ordinary_conversations=5,
    ordinary_messages=50,
    own_reports=20,
    texts=500,
    ends=datetime(2026, 6, 1, tzinfo=UTC),
)


def conninfo() -> str:
    """How to reach the test database without Django."""
    settings = connection.settings_dict
    names = {"HOST": "host", "PORT": "port", "USER": "user", "PASSWORD": "password", "NAME": "dbname"}
    given = {keyword: settings[name] for name, keyword in names.items() if settings[name]}
    return make_conninfo(**given)


@pytest.fixture
def loaded(transactional_db: None) -> Shape:
    """The tiny history, by the same code that loads ten million messages."""
    if connection.vendor == "postgresql":
        loading.load_postgresql(conninfo(), TINY)
    else:
        # The test database is in memory, which only this connection sees.
        connection.ensure_connection()
        connection.set_autocommit(True)
        for table in History(TINY).tables():
            loading.insert_table(connection.connection, table)
    return TINY


def test_holds_as_many_as_its_shape_says(loaded: Shape) -> None:
    assert Message.objects.count() == loaded.messages
    assert User.objects.count() == Session.objects.count() == loaded.users
    assert Report.objects.count() == loaded.reports
    assert Message.objects.filter(Q(sender=HOT) | Q(recipient=HOT)).count() == loaded.messages // 5
    assert Participant.objects.filter(user=HOT).count() == loaded.hot_conversations
    own = Message.objects.filter(Q(sender=ORDINARY) | Q(recipient=ORDINARY))
    assert own.count() == loaded.ordinary_messages
    assert Participant.objects.filter(user=ORDINARY).count() == loaded.ordinary_conversations
    assert Report.objects.filter(reporter=ORDINARY, message=None).count() == loaded.own_reports


def test_every_participant_points_at_the_newest_message_that_he_sees(loaded: Shape) -> None:
    for participant in Participant.objects.select_related("user"):
        seen = Message.objects.visible_to(participant.user).filter(conversation=participant.conversation_id)
        assert participant.last_message_id == seen.order_by("-pk").values_list("pk", flat=True).first()


def test_conversations_belong_to_the_two_that_their_ids_name(loaded: Shape) -> None:
    members: dict[str, list[int]] = {}
    for conversation, user in Participant.objects.values_list("conversation_id", "user_id"):
        members.setdefault(conversation, []).append(user)
    assert len(members) == Conversation.objects.count()
    for conversation, pair in members.items():
        assert conversation == default_conversation_id(*pair)
    for message in Message.objects.all():
        assert message.conversation_id == default_conversation_id(message.sender_id, message.recipient_id)
    assert not Message.objects.exclude(parent=None).exclude(parent__conversation=F("conversation")).exists()


def test_ids_follow_time_and_end_before_the_history_does(loaded: Shape) -> None:
    times = list(Message.objects.order_by("pk").values_list("created_at", flat=True))
    assert times == sorted(times)
    assert times[-1] <= loaded.ends


def test_unread_are_the_last_of_their_conversation(loaded: Shape) -> None:
    unread = Message.objects.filter(is_read=False)
    assert unread.filter(recipient=HOT).count() == loaded.hot_conversations // 5
    for message in unread:
        later = Message.objects.filter(conversation=message.conversation_id, pk__gt=message.pk)
        assert not later.filter(is_read=True).exists()


def test_reports_quote_the_message_that_they_are_about(loaded: Shape) -> None:
    about = Report.objects.exclude(message=None).select_related("message")
    assert about.count() > loaded.reports // 4
    for report in about:
        assert report.message_content == report.message.content
        assert report.message_sender_id == report.message.sender_id
        assert report.reporter_id == report.message.recipient_id
    statuses = dict(Report.objects.values_list("status").annotate(count=Count("pk")))
    assert set(statuses) == {"open", "in_progress", "resolved"}


def test_accounts_are_as_a_registration_leaves_them(loaded: Shape) -> None:
    for user in User.objects.all()[:20]:
        keys = user.username_key, user.email_key, user.name_words
        user.save()
        user.refresh_from_db()
        assert keys == (user.username_key, user.email_key, user.name_words)
    assert BCryptSHA256PasswordHasher().verify(data.PASSWORD, User.objects.get(pk=HOT).password)


def test_further_rows_get_further_ids(loaded: Shape) -> None:
    sent = Message.objects.create(
        sender_id=HOT,
        recipient_id=data.FIRST,
        conversation_id=default_conversation_id(HOT, data.FIRST),
        content="x",
    )
    assert sent.pk == loaded.messages + 1


@pytest.mark.postgres
def test_loading_puts_every_index_and_constraint_back(loaded: Shape) -> None:
    def objects() -> set[tuple[str, str]]:
        with connection.cursor() as cursor:
            cursor.execute("SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'")
            found = set(cursor.fetchall())
            cursor.execute(
                "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint"
                " WHERE connamespace = 'public'::regnamespace"
            )
            found |= set(cursor.fetchall())
            cursor.execute(
                "SELECT attrelid::regclass::text, attnum || ': ' || attstattarget FROM pg_attribute"
                " WHERE attstattarget >= 0 AND attrelid > 16383 AND NOT attisdropped AND attnum > 0"
            )
            return found | set(cursor.fetchall())

    kept = objects()
    assert ("message_search", "3: 1000") in kept
    with psycopg.connect(conninfo(), autocommit=True) as other:
        put_back = loading._strip(other, loading.STRIPPED)
        assert len(put_back) > 15
        for statement in put_back:
            other.execute(statement)
    assert objects() == kept


def test_a_sqlite_file_gets_its_indexes_back(tmp_path: Path, loaded: Shape) -> None:
    if connection.vendor != "sqlite":
        pytest.skip("is about SQLite")
    path = tmp_path / "bench.sqlite3"
    with sqlite3.connect(path) as copy:
        connection.connection.backup(copy)
        for table in History(TINY).tables():
            copy.execute(f"DELETE FROM {table.name}")
        schema = "SELECT name, sql FROM sqlite_master ORDER BY name"
        kept = copy.execute(schema).fetchall()
    loading.load_sqlite(path, TINY)
    with sqlite3.connect(path) as copy:
        assert {*kept} <= {*copy.execute(schema).fetchall()}
        assert copy.execute("SELECT count(*) FROM messaging_message").fetchone() == (TINY.messages,)
        assert copy.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_the_same_seed_makes_the_same_rows() -> None:
    def lines() -> list[str]:
        # Sessions begin when the benchmark does.
        tables = (table for table in History(TINY).tables())
        return [line for table in tables for line in table.rows if table.name != "accounts_session"]

    assert lines() == lines()


def test_texts_hold_the_words_that_are_searched_for() -> None:
    texts = data.make_texts(Random(1), 20_000)
    words = Counter(word.strip(".?!").lower() for text in texts for word in text.split())
    for marker, share in data.MARKERS.items():
        assert words[marker] == round(share * len(texts))
    assert data.ABSENT not in words


def test_refuses_a_shape_that_cannot_be() -> None:
    with pytest.raises(ValueError, match="too few messages"):
        Shape(messages=1_000)
