import django.core.validators
import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

import aimessage.db.fields
import aimessage.models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0010_second_factor"),
    ]

    operations = [
        migrations.AddField(
            model_name="user",
            name="notify_logins",
            # The release before goes on inserting while this one is rolled out.
            field=models.BooleanField(db_default=True, default=True),
        ),
        migrations.CreateModel(
            name="PersonalToken",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                (
                    "updated_at",
                    aimessage.models.UpdatedAtField(default=django.utils.timezone.now, editable=False),
                ),
                ("name", models.CharField(max_length=100)),
                ("token", models.CharField(editable=False, max_length=64, unique=True)),
                ("prefix", models.CharField(editable=False, max_length=10)),
                ("scopes", models.JSONField()),
                ("expires_at", models.DateTimeField(null=True)),
                ("last_used_at", models.DateTimeField(null=True)),
                ("revoked_at", models.DateTimeField(null=True)),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="personal_tokens",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ["-pk"],
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="Invitation",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                (
                    "updated_at",
                    aimessage.models.UpdatedAtField(default=django.utils.timezone.now, editable=False),
                ),
                ("code_hash", models.CharField(editable=False, max_length=64, unique=True)),
                (
                    "email",
                    models.EmailField(
                        blank=True,
                        help_text="Whoever registers with this address, and nobody else, may use it. It counts as verified.",
                        max_length=255,
                        null=True,
                        verbose_name="e-mail address",
                    ),
                ),
                ("email_key", aimessage.db.fields.FoldedField(source="email")),
                ("note", models.CharField(blank=True, help_text="Only superusers see this.", max_length=255)),
                (
                    "max_uses",
                    models.PositiveSmallIntegerField(
                        default=1,
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(10000),
                        ],
                        verbose_name="uses",
                    ),
                ),
                ("uses", models.PositiveSmallIntegerField(default=0, editable=False, verbose_name="used")),
                ("expires_at", models.DateTimeField(editable=False)),
                ("withdrawn_at", models.DateTimeField(editable=False, null=True)),
                (
                    "created_by",
                    models.ForeignKey(
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "role",
                    models.ForeignKey(
                        blank=True,
                        help_text="What everybody who registers with it will hold.",
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        to="accounts.role",
                    ),
                ),
            ],
            options={
                "ordering": ["-pk"],
                "default_permissions": (),
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("uses__lte", models.F("max_uses"))),
                        name="invitation_not_overused",
                    )
                ],
            },
        ),
    ]
