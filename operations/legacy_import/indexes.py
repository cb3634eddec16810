"""On PostgreSQL, drops the indexes of messages before the copy and builds them once afterwards.

Maintaining the search index row by row takes longer than everything else together. The transaction that drops
an index also records its definition, so that a run after a crash can build it.
"""

import json

from django.db import connections, transaction
from django.db.backends.utils import CursorWrapper

from messaging.models import Message
from operations.legacy_import.models import SetAsideIndex
from operations.progress import Steps

#: maintenance_work_mem of each build. With the default, the search index takes twice as long.
BUILD_MEMORY = "256MB"

# Indexes without a constraint, with their statistics targets. The primary key stays, for looking up rows.
_DROPPABLE = """
    SELECT format('%%I.%%I', n.nspname, c.relname), pg_get_indexdef(c.oid),
        COALESCE((SELECT json_object_agg(a.attnum, a.attstattarget) FROM pg_attribute a
                  WHERE a.attrelid = c.oid AND a.attstattarget >= 0), '{}')::text
    FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE i.indrelid = %s::regclass AND NOT i.indisunique AND i.indisvalid
        AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = c.oid)
    ORDER BY 1
"""


def set_aside(*, using: str) -> None:
    """Drops the indexes of the table of messages, if that is empty."""
    connection = connections[using]
    if connection.vendor != "postgresql":
        return
    table = connection.ops.quote_name(Message._meta.db_table)
    with transaction.atomic(using=using), connection.cursor() as cursor:
        # Somebody may write to the table between this check and the drop.
        cursor.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        if Message.objects.using(using).exists():
            return
        cursor.execute(_DROPPABLE, [Message._meta.db_table])
        for name, definition, statistics in cursor.fetchall():
            SetAsideIndex(name=name, definition=definition, statistics=json.loads(statistics)).save(
                using=using
            )
            cursor.execute(f"DROP INDEX {name}")


def put_back(*, using: str) -> Steps:
    rows = list(SetAsideIndex.objects.using(using).order_by("name"))
    for number, row in enumerate(rows, 1):
        with transaction.atomic(using=using), connections[using].cursor() as cursor:
            # PostgreSQL builds no index while deferred foreign keys of the table are unchecked.
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            cursor.execute(f"SET LOCAL maintenance_work_mem = '{BUILD_MEMORY}'")
            _build(cursor, row)
            row.delete(using=using)
        yield number, len(rows)


def _build(cursor: CursorWrapper, row: SetAsideIndex) -> None:
    cursor.execute("SELECT to_regclass(%s) IS NULL", [row.name])
    if cursor.fetchone()[0]:  # else a migration has built it meanwhile
        # With None, a % in the definition is not taken for a placeholder.
        cursor.execute(row.definition, None)
        for column, target in row.statistics.items():
            cursor.execute(f"ALTER INDEX {row.name} ALTER COLUMN {int(column)} SET STATISTICS {int(target)}")
