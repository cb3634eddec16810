from django.db import migrations, models

from aimessage.operations import AddIndexConcurrently


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("reports", "0003_report_assigned_to")]

    operations = [
        AddIndexConcurrently("report", models.Index(fields=["created_at"], name="report_created_at")),
    ]
