"""The rows that the benchmark loads are what the application itself would have written."""

from datetime import UTC, datetime

import psycopg
import pytest
from django.contrib.auth.hashers import BCryptSHA256PasswordHasher
from django.db import connection
from django.db.models import F, Q
from psycopg.conninfo import make_conninfo

from accounts.models import Session, User
from messaging.models import Message, Participant, default_conversation_id
from reports.models import Report
from tools.benchmarks import data, loading
from tools.benchmarks.data import HOT, ORDINARY, Shape

pytestmark = pytest.mark.postgres
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


def definitions() -> set[tuple[str, str]]:
    """Every index, constraint and statistics target."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' UNION ALL"
            " SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint"
            " WHERE connamespace = 'public'::regnamespace UNION ALL"
            " SELECT attrelid::regclass::text, attnum || ': ' || attstattarget FROM pg_attribute"
            " WHERE attstattarget >= 0 AND attrelid > 16383 AND NOT attisdropped AND attnum > 0"
        )
        return set(cursor.fetchall())


@pytest.mark.django_db(transaction=True)
def test_loads_what_the_application_would_have_written() -> None:
    kept = definitions()
    assert ("message_search", "3: 1000") in kept
    loading.load_postgresql(conninfo(), TINY)
    assert definitions() == kept

    assert Message.objects.count() == TINY.messages
    assert User.objects.count() == Session.objects.count() == TINY.users
    assert Report.objects.count() == TINY.reports
    assert Message.objects.filter(Q(sender=HOT) | Q(recipient=HOT)).count() == TINY.messages // 5
    assert Participant.objects.filter(user=HOT).count() == TINY.hot_conversations
    own = Message.objects.filter(Q(sender=ORDINARY) | Q(recipient=ORDINARY))
    assert own.count() == TINY.ordinary_messages
    assert Participant.objects.filter(user=ORDINARY).count() == TINY.ordinary_conversations
    assert Report.objects.filter(reporter=ORDINARY, message=None).count() == TINY.own_reports

    for participant in Participant.objects.select_related("user"):
        seen = Message.objects.visible_to(participant.user).filter(conversation=participant.conversation_id)
        assert participant.last_message_id == seen.order_by("-pk").values_list("pk", flat=True).first()
    for message in Message.objects.all():
        assert message.conversation_id == default_conversation_id(message.sender_id, message.recipient_id)
    assert not Message.objects.exclude(parent=None).exclude(parent__conversation=F("conversation")).exists()
    about = Report.objects.exclude(message=None)
    assert about.count() > TINY.reports // 4
    assert not about.exclude(
        message_content=F("message__content"),
        message_sender=F("message__sender"),
        reporter=F("message__recipient"),
    ).exists()
    for user in User.objects.all()[:20]:
        keys = user.username_key, user.email_key, user.name_words
        user.save()
        user.refresh_from_db()
        assert keys == (user.username_key, user.email_key, user.name_words)
    assert BCryptSHA256PasswordHasher().verify(data.PASSWORD, User.objects.get(pk=HOT).password)
    sent = Message.objects.create(
        sender_id=HOT,
        recipient_id=data.FIRST,
        conversation_id=default_conversation_id(HOT, data.FIRST),
        content="x",
    )
    assert sent.pk == TINY.messages + 1


def test_a_column_that_the_rows_lack_is_told_before_anything_is_loaded(db: None) -> None:
    table = data.Table("accounts_user", ["id", "username"], [], 0)
    with (
        psycopg.connect(conninfo()) as own,
        pytest.raises(loading.SchemaError, match=r"accounts_user also needs .*email"),
    ):
        loading.copy_table(own, table)
