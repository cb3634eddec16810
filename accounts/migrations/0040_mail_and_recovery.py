import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0030_leaving_and_own_users")]

    operations = [
        migrations.AddField(
            model_name="user",
            name="email_pending",
            field=models.CharField(editable=False, max_length=255, null=True),
        ),
        migrations.CreateModel(
            name="MailSecret",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "purpose",
                    models.CharField(
                        choices=[
                            ("reset", "Reset"),
                            ("verify", "Verify"),
                            ("change", "Change"),
                            ("undelete", "Undelete"),
                        ],
                        max_length=10,
                    ),
                ),
                ("address_key", models.TextField()),
                ("token", models.CharField(editable=False, max_length=64, unique=True)),
                ("code", models.CharField(editable=False, max_length=64)),
                ("tries", models.PositiveSmallIntegerField(default=0)),
                ("expires_at", models.DateTimeField(db_index=True)),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="mail_secrets",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["address_key", "purpose"], name="mail_secret_address")],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("user", "purpose"), name="mail_secret_unique_user_purpose"
                    )
                ],
            },
        ),
    ]
