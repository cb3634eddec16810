"""The database refuses to change a row of the trail, and PostgreSQL to delete one.

TRUNCATE stays possible, with which test runs and `manage.py flush` empty a PostgreSQL database. SQLite
empties by DELETE, row by row, so that a trigger against it would stop these.
"""

from django.db import migrations

UP = {
    "postgresql": [
        """CREATE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'The audit trail is only appended to.' USING ERRCODE = 'insufficient_privilege'; END $$""",
        """CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE ON audit_entry
FOR EACH ROW EXECUTE FUNCTION audit_refuse()""",
    ],
    "sqlite": [
        """CREATE TRIGGER audit_append_only BEFORE UPDATE ON audit_entry
BEGIN SELECT RAISE(ABORT, 'The audit trail is only appended to.'); END""",
    ],
}
DOWN = {
    "postgresql": ["DROP TRIGGER audit_append_only ON audit_entry", "DROP FUNCTION audit_refuse()"],
    "sqlite": ["DROP TRIGGER audit_append_only"],
}


def add_triggers(apps, schema_editor):
    for statement in UP[schema_editor.connection.vendor]:
        schema_editor.execute(statement)


def drop_triggers(apps, schema_editor):
    for statement in DOWN[schema_editor.connection.vendor]:
        schema_editor.execute(statement)


class Migration(migrations.Migration):
    dependencies = [("audit", "0001_audit_trail")]

    operations = [migrations.RunPython(add_triggers, drop_triggers)]
