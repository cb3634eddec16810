from django.db import migrations

MODERATOR = "moderator"
DESCRIPTION = "Works reports in the admin: sees them, comments, sets their status."
# Django makes permissions after the last migration, which is too late for a role that needs them.
PERMISSIONS = {"view_report": "Can view report", "change_report": "Can change report"}


def add_role(apps, schema_editor):
    ContentType = apps.get_model("contenttypes", "ContentType")
    Permission = apps.get_model("auth", "Permission")
    Role = apps.get_model("accounts", "Role")
    report, _ = ContentType.objects.get_or_create(app_label="reports", model="report")
    permissions = [
        Permission.objects.get_or_create(content_type=report, codename=codename, defaults={"name": name})[0]
        for codename, name in PERMISSIONS.items()
    ]
    role, _ = Role.objects.get_or_create(name=MODERATOR, defaults={"description": DESCRIPTION})
    role.permissions.set(permissions)


def remove_role(apps, schema_editor):
    apps.get_model("accounts", "Role").objects.filter(name=MODERATOR).delete()


class Migration(migrations.Migration):
    dependencies = [
        ("reports", "0001_reports"),
        ("accounts", "0001_accounts"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]

    operations = [migrations.RunPython(add_role, remove_role)]
