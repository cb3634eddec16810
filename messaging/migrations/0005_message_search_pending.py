from typing import Any

from django.db import migrations

# New messages wait in a list until there are enough to sort them into the index at once, and every search reads
# that list from end to end. As PostgreSQL comes it may have 4 MB: 4 ms for a search, and a third of a second for
# whoever sends the message that fills it. In kB.
SHORT = "SET (gin_pending_list_limit = 128)"


def _alter(schema_editor: Any, change: str) -> None:
    if schema_editor.connection.vendor == "postgresql":
        # Where its extensions are not to be had there is none.
        schema_editor.execute(f"ALTER INDEX IF EXISTS message_search {change}")


def shorten(apps: Any, schema_editor: Any) -> None:
    _alter(schema_editor, SHORT)


def lengthen(apps: Any, schema_editor: Any) -> None:
    _alter(schema_editor, "RESET (gin_pending_list_limit)")


class Migration(migrations.Migration):
    dependencies = [("messaging", "0004_conversation_statistics")]

    operations = [migrations.RunPython(shorten, lengthen, elidable=False)]
