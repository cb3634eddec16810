"""PostgreSQL: builds the indexes of messages once, after the copy, instead of adding to them row by row.

The search index alone takes longer to add to than everything else together. What was dropped is written down
in the transaction that drops it, so that a run after a crash finds it.
"""

import json
from typing import Any

from django.db import connections, transaction

from messaging.models import Message
from operations.legacy_import.models import SetAsideIndex
from operations.progress import Steps

#: For each build; PostgreSQL's own default makes a search index of a million messages twice as slow.
BUILD_MEMORY = "256MB"

# Those that hold no constraint, with what statistics their expressions have. The key of the table stays: rows
# are looked up by it.
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
    """Drops the indexes of a table of messages that is empty; any other stays as it is."""
    connection = connections[using]
    if connection.vendor != "postgresql":
        return
    table = connection.ops.quote_name(Message._meta.db_table)
    with transaction.atomic(using=using), connection.cursor() as cursor:
        # Until here somebody might have written to it.
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
    """Builds what `set_aside` dropped, in this run or one before."""
    rows = list(SetAsideIndex.objects.using(using).order_by("name"))
    for number, row in enumerate(rows, 1):
        with transaction.atomic(using=using), connections[using].cursor() as cursor:
            # PostgreSQL builds no index while foreign keys of the table are still to be checked.
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            cursor.execute(f"SET LOCAL maintenance_work_mem = '{BUILD_MEMORY}'")
            _build(cursor, row)
            row.delete(using=using)
        yield number, len(rows)


def _build(cursor: Any, row: SetAsideIndex) -> None:
    cursor.execute("SELECT to_regclass(%s) IS NULL", [row.name])
    if cursor.fetchone()[0]:  # else a migration has built it meanwhile
        # Nothing is put into it: a % may stand in it.
        cursor.execute(row.definition, None)
        for column, target in row.statistics.items():
            cursor.execute(f"ALTER INDEX {row.name} ALTER COLUMN {int(column)} SET STATISTICS {int(target)}")
