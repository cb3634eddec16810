from typing import Any

from django.db import migrations

# What a client that polls `created_after` asks for lies at the table's end; without this all that its user
# ever sent and received is looked at. A BRIN index has the times of so many pages in one entry: it takes
# 64 kB for 500,000 messages, and next to nothing of an insert. minmax_multi leaves out what few old rows have
# moved there since, as a message does that is read late.
INDEX = "message_created"
CREATE = (
    f"CREATE INDEX CONCURRENTLY {INDEX} ON messaging_message"
    " USING brin (created_at timestamptz_minmax_multi_ops)"
    " WITH (pages_per_range = 32, autosummarize = on)"
)


def add_index(apps: Any, schema_editor: Any) -> None:
    if schema_editor.connection.vendor == "postgresql":
        # What a run that was broken off left behind is of no use.
        drop_index(apps, schema_editor)
        schema_editor.execute(CREATE)


def drop_index(apps: Any, schema_editor: Any) -> None:
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {INDEX}")


class Migration(migrations.Migration):
    # An index is built beside a live table, which no transaction allows.
    atomic = False

    dependencies = [("messaging", "0005_message_search_pending")]

    operations = [migrations.RunPython(add_index, drop_index, elidable=False)]
