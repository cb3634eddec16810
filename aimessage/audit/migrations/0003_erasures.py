"""What is personal in a row of the trail can be erased, once another row says so; nothing else changes."""

from importlib import import_module

from django.db import migrations, models

before = import_module("aimessage.audit.migrations.0002_append_only")

#: What an erasure leaves as it was.
FACTS = (
    "id",
    "created_at",
    "actor_id",
    "act",
    "target_kind",
    "target_id",
    "request_id",
    "previous_hash",
    "hash",
)


def is_erasure(same: str) -> str:
    facts = " AND ".join(f"NEW.{column} {same} OLD.{column}" for column in FACTS)
    erased = "EXISTS (SELECT 1 FROM audit_erasure WHERE entry_id = NEW.id)"
    return f"{facts} AND NEW.salt <> OLD.salt AND {erased}"


UP = {
    "postgresql": [
        f"""CREATE FUNCTION audit_refuse_changes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'UPDATE' AND TG_TABLE_NAME = 'audit_entry' THEN
    IF {is_erasure("IS NOT DISTINCT FROM")} THEN RETURN NEW; END IF;
  END IF;
  RAISE EXCEPTION 'The audit trail is only appended to.' USING ERRCODE = 'insufficient_privilege';
END $$""",
        """CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE ON audit_entry
FOR EACH ROW EXECUTE FUNCTION audit_refuse_changes()""",
        """CREATE TRIGGER audit_erasures_stay BEFORE UPDATE OR DELETE ON audit_erasure
FOR EACH ROW EXECUTE FUNCTION audit_refuse_changes()""",
    ],
    "sqlite": [
        f"""CREATE TRIGGER audit_append_only BEFORE UPDATE ON audit_entry WHEN NOT ({is_erasure("IS")})
BEGIN SELECT RAISE(ABORT, 'The audit trail is only appended to.'); END""",
        """CREATE TRIGGER audit_erasures_stay BEFORE UPDATE ON audit_erasure
BEGIN SELECT RAISE(ABORT, 'The audit trail is only appended to.'); END""",
    ],
}
DOWN = {
    "postgresql": [
        "DROP TRIGGER audit_append_only ON audit_entry",
        "DROP TRIGGER audit_erasures_stay ON audit_erasure",
        "DROP FUNCTION audit_refuse_changes()",
    ],
    "sqlite": ["DROP TRIGGER audit_append_only", "DROP TRIGGER audit_erasures_stay"],
}


def add_triggers(apps, schema_editor):
    for statement in UP[schema_editor.connection.vendor]:
        schema_editor.execute(statement, params=None)


def drop_triggers(apps, schema_editor):
    for statement in DOWN[schema_editor.connection.vendor]:
        schema_editor.execute(statement)


class Migration(migrations.Migration):
    dependencies = [("audit", "0002_append_only")]

    operations = [
        # A new column makes the table anew on SQLite, without its triggers.
        migrations.RunPython(before.drop_triggers, before.add_triggers),
        migrations.AddField(
            model_name="entry",
            name="salt",
            field=models.CharField(blank=True, db_default="", default="", editable=False, max_length=32),
        ),
        migrations.CreateModel(
            name="Erasure",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("entry_id", models.BigIntegerField()),
                ("by", models.BigIntegerField()),
                ("hash", models.CharField(max_length=64)),
            ],
            options={
                "default_permissions": [],
                "constraints": [
                    models.UniqueConstraint(fields=("by", "entry_id"), name="erasure_once_per_entry")
                ],
                "indexes": [models.Index(fields=["entry_id", "by"], name="erasure_entry")],
            },
        ),
        migrations.RunPython(add_triggers, drop_triggers),
    ]
