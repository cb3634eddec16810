from django.db import migrations, models

from aimessage.operations import AddIndexConcurrently


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("messaging", "0001_messaging")]

    operations = [
        AddIndexConcurrently(
            model_name="message",
            index=models.Index(
                condition=models.Q(("idempotency_key__isnull", False)),
                fields=["created_at"],
                name="message_keyed",
            ),
        ),
    ]
