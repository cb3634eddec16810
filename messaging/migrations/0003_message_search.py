from typing import Any

from django.db import DatabaseError, migrations

# As messaging/lookups.py had it when this landed.
FOLDED = (
    '(CASE WHEN octet_length("content") = length("content") THEN UPPER("content" COLLATE "C")'
    ' ELSE UPPER(LOWER("content" COLLATE "und-x-icu")) COLLATE "C" END)'
)
INDEX = "message_search"
CREATE = (
    f'CREATE INDEX CONCURRENTLY {INDEX} ON messaging_message USING gin ("sender_id", "recipient_id",'
    f" {FOLDED} gin_trgm_ops)"
)
# Column 3 is the text; how rare a word is, is estimated from a sample of so many.
SAMPLE = f"ALTER INDEX {INDEX} ALTER COLUMN 3 SET STATISTICS 1000"


def add_index(apps: Any, schema_editor: Any) -> None:
    """Serves `search`. Where the extensions are not to be had, searches read the messages one by one."""
    connection = schema_editor.connection
    if connection.vendor != "postgresql":
        return
    with connection.cursor() as cursor:
        try:
            cursor.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
            cursor.execute("CREATE EXTENSION IF NOT EXISTS btree_gin")
        except DatabaseError as error:
            print(f"\n  Searches will be slow: {error}".rstrip())
            return
        # What a run that was broken off left behind is of no use.
        cursor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {INDEX}")
        cursor.execute(CREATE)
        cursor.execute(SAMPLE)


def drop_index(apps: Any, schema_editor: Any) -> None:
    if schema_editor.connection.vendor == "postgresql":
        with schema_editor.connection.cursor() as cursor:
            cursor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {INDEX}")


class Migration(migrations.Migration):
    # An index is built beside a live table, which no transaction allows.
    atomic = False

    dependencies = [("messaging", "0002_message_keyed")]

    operations = [migrations.RunPython(add_index, drop_index, elidable=False)]
