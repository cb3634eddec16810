from django.db import migrations, models

from aimessage.operations import AddIndexConcurrently

# As the lookup of aimessage/fields.py has it: the prefixes of words, each of which may have 64 characters here.
WORDS = r"array_to_tsvector(string_to_array(ltrim(regexp_replace(name_words, '([^ ]{64})[^ ]+', '\1', 'g')), ' '))"


def add_words(apps, schema_editor):
    """SQLite has no such index, and reads the column."""
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("DROP INDEX CONCURRENTLY IF EXISTS user_name_words")
        schema_editor.execute(
            f"CREATE INDEX CONCURRENTLY user_name_words ON accounts_user USING gin ({WORDS})", params=None
        )
        # Without numbers about the words the planner would rather read every row.
        schema_editor.execute("ANALYZE accounts_user")


def remove_words(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("DROP INDEX CONCURRENTLY IF EXISTS user_name_words")


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("accounts", "0001_accounts")]

    operations = [
        AddIndexConcurrently(
            "user",
            models.Index(fields=["email_key"], name="user_email_prefix", opclasses=["text_pattern_ops"]),
        ),
        AddIndexConcurrently(
            "user", models.Index(fields=["id"], name="user_disabled", condition=models.Q(is_active=False))
        ),
        AddIndexConcurrently(
            "user", models.Index(fields=["id"], name="user_staff", condition=models.Q(is_staff=True))
        ),
        AddIndexConcurrently("user", models.Index(fields=["last_login"], name="user_last_login")),
        AddIndexConcurrently("session", models.Index(fields=["ip_address"], name="session_address")),
        migrations.RunPython(add_words, remove_words, atomic=False),
    ]
