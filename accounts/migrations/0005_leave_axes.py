"""Takes over the failed logins that django-axes stored, where it was installed, and empties its tables.

They hold what was typed as a username, which may be a password. The tables themselves stay: workers of the
release before may still write to them while this runs. Nothing uses them any more, and they may be dropped.
"""

from datetime import timedelta
from itertools import islice

from django.apps.registry import Apps
from django.db import migrations, models
from django.utils import timezone

from accounts.guesses import digest_of
from aimessage.server.clients import client_network, read_address

#: As long as failed logins are kept.
KEPT = timedelta(days=30)
BATCH = 1000
#: In the order in which they can be emptied.
TABLES = ["axes_accessattemptexpiration", "axes_accessattempt", "axes_accesslog", "axes_accessfailurelog"]


class AccessFailureLog(models.Model):
    """What is needed of django-axes' model."""

    username = models.CharField(max_length=255, null=True)
    ip_address = models.GenericIPAddressField(null=True)
    user_agent = models.CharField(max_length=255)
    path_info = models.CharField(max_length=255)
    attempt_time = models.DateTimeField()
    locked_out = models.BooleanField()

    class Meta:
        app_label = "axes"
        apps = Apps()
        managed = False

    def __str__(self):
        return f"{self.username} from {self.ip_address}"


def take_over(apps, schema_editor):
    connection = schema_editor.connection
    present = connection.introspection.table_names()
    tables = [name for name in TABLES if name in present]
    if AccessFailureLog._meta.db_table in tables:
        copy(apps, connection.alias)
    with connection.cursor() as cursor:
        for name in tables:
            cursor.execute(f"DELETE FROM {name}")  # noqa: S608
        # Else a migration would be known that no code has.
        cursor.execute("DELETE FROM django_migrations WHERE app = 'axes'")
    # Its permissions go along.
    apps.get_model("contenttypes", "ContentType").objects.filter(app_label="axes").delete()


def copy(apps, alias):
    users = apps.get_model("accounts", "User").objects.using(alias)
    failures = apps.get_model("accounts", "FailedLogin").objects.using(alias)
    old = AccessFailureLog.objects.using(alias).filter(attempt_time__gt=timezone.now() - KEPT)
    for rows in batched(old.order_by("pk").iterator(BATCH)):
        names = users.filter(username_key__in={row.username or "" for row in rows})
        ids = dict(names.values_list("username_key", "pk"))
        failures.bulk_create(
            failures.model(
                user_id=ids.get(row.username or ""),
                name_digest=digest_of(row.username or ""),
                client=client_network(row.ip_address),
                ip_address=read_address(row.ip_address or ""),
                user_agent=row.user_agent,
                path_info=row.path_info,
                attempt_time=row.attempt_time,
                locked_out=row.locked_out,
            )
            for row in rows
        )


def batched(rows):
    while batch := list(islice(rows, BATCH)):
        yield batch


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0004_failed_login"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]

    operations = [migrations.RunPython(take_over, migrations.RunPython.noop)]
