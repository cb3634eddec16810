from typing import Any

from django.db import migrations

# From the few messages of an average conversation PostgreSQL would reckon that to read all of one and sort
# it is cheapest, which for one of 10,000 took 14 ms; knowing that it is long, that walking everybody's newest
# is, which is right only while the two go on talking. Without statistics it takes one for a two-hundredth
# of all messages, and reads a page of any from the index, in its order.
NONE = "SET STATISTICS 0"
# What was found before stays, so it is first replaced by about the same.
COARSE, FEW = "SET STATISTICS 1", "SET (n_distinct = 500)"


def _alter(schema_editor: Any, *changes: str) -> None:
    if schema_editor.connection.vendor == "postgresql":
        for change in changes:
            schema_editor.execute(f"ALTER TABLE messaging_message ALTER COLUMN conversation_id {change}")


def _sample(schema_editor: Any) -> None:
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("ANALYZE messaging_message (conversation_id)")


def forget(apps: Any, schema_editor: Any) -> None:
    """Locks out neither readers nor writers; the sample is one of a few hundred rows."""
    _alter(schema_editor, COARSE, FEW)
    _sample(schema_editor)
    _alter(schema_editor, NONE)


def learn(apps: Any, schema_editor: Any) -> None:
    _alter(schema_editor, "SET STATISTICS -1", "RESET (n_distinct)")
    _sample(schema_editor)


class Migration(migrations.Migration):
    dependencies = [("messaging", "0003_message_search")]

    operations = [migrations.RunPython(forget, learn, elidable=False)]
