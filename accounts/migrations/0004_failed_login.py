import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0003_user_kind")]

    operations = [
        migrations.CreateModel(
            name="FailedLogin",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name_digest", models.CharField(editable=False, max_length=64)),
                ("client", models.CharField(blank=True, max_length=43)),
                ("ip_address", models.GenericIPAddressField(null=True, verbose_name="address")),
                ("user_agent", models.CharField(blank=True, max_length=255)),
                ("path_info", models.CharField(max_length=255, verbose_name="path")),
                (
                    "attempt_time",
                    models.DateTimeField(default=django.utils.timezone.now, verbose_name="time"),
                ),
                ("locked_out", models.BooleanField(default=False)),
                ("is_noted", models.BooleanField(default=False, editable=False)),
                (
                    "user",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="failed_logins",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ["-pk"],
                "indexes": [
                    models.Index(fields=["name_digest", "client", "attempt_time"], name="failed_login_pair"),
                    models.Index(fields=["ip_address"], name="failed_login_address"),
                ],
            },
        ),
    ]
