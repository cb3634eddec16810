from typing import Any

from django.db import migrations, models

POSTGRESQL = """
    ALTER TABLE events_event ADD COLUMN xid xid8 NOT NULL DEFAULT pg_current_xact_id();
    -- one user's events, and a stream's
    CREATE INDEX event_user ON events_event (user_id, xid, id);
    -- what is new to anybody: the streams of a process, and consumers
    CREATE INDEX event_new ON events_event (xid);
    -- retention
    CREATE INDEX event_created ON events_event USING brin (created_at);
"""
SQLITE = "CREATE INDEX event_user ON events_event (user_id, id)"


def add_columns_and_indexes(apps: Any, schema_editor: Any) -> None:
    """Cursors differ: a snapshot of transactions on PostgreSQL, the id of a row on SQLite."""
    schema_editor.execute(POSTGRESQL if schema_editor.connection.vendor == "postgresql" else SQLITE)


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Event",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("user_id", models.BigIntegerField(null=True)),
                ("kind", models.CharField(max_length=40)),
                ("conversation_id", models.CharField(max_length=100, null=True)),
                ("message_id", models.BigIntegerField(null=True)),
                ("data", models.JSONField(null=True)),
                ("leads", models.BooleanField(default=True)),
                ("created_at", models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name="State",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("epoch", models.CharField(max_length=32)),
            ],
        ),
        migrations.CreateModel(
            name="Consumer",
            fields=[
                ("name", models.CharField(max_length=40, primary_key=True, serialize=False)),
                ("cursor", models.TextField()),
                ("updated_at", models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name="Process",
            fields=[
                ("name", models.CharField(max_length=32, primary_key=True, serialize=False)),
                ("seen_at", models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name="OpenStream",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("user_id", models.BigIntegerField(db_index=True)),
                ("grant", models.CharField(max_length=40)),
                (
                    "process",
                    models.ForeignKey(on_delete=models.CASCADE, related_name="streams", to="events.process"),
                ),
            ],
        ),
        migrations.RunPython(add_columns_and_indexes, migrations.RunPython.noop, elidable=False),
    ]
