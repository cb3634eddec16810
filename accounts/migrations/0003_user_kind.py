from django.db import migrations, models

import accounts.names

ONLY_PERSONS = models.Q(kind="person") | models.Q(is_staff=False, is_superuser=False)


class Migration(migrations.Migration):
    dependencies = [("accounts", "0002_admin_lists")]

    operations = [
        migrations.AddField(
            "user",
            "kind",
            models.CharField(
                choices=[("person", "Person"), ("bot", "Bot"), ("contact", "Contact")],
                default="person",
                # The release before goes on inserting while this one is rolled out.
                db_default="person",
                editable=False,
                max_length=10,
            ),
        ),
        migrations.AlterField(
            "user",
            "username",
            models.CharField(
                error_messages={"unique": "Username already registered"},
                help_text="Up to 100 letters, digits and @ . + - _; case does not tell names apart.",
                max_length=100,
                unique=True,
                validators=[accounts.names.validate_username],
            ),
        ),
        migrations.AddConstraint(
            "user",
            models.CheckConstraint(
                condition=models.Q(kind__in=["person", "bot", "contact"]), name="user_kind_known"
            ),
        ),
        migrations.AddConstraint(
            "user", models.CheckConstraint(condition=ONLY_PERSONS, name="user_only_persons_are_staff")
        ),
    ]
