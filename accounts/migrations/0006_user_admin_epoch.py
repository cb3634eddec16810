from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0005_leave_axes")]

    operations = [
        migrations.AddField(
            model_name="user",
            name="admin_epoch",
            field=models.PositiveIntegerField(db_default=0, default=0, editable=False),
        ),
    ]
