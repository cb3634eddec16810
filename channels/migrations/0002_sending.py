from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("channels", "0001_channels")]

    operations = [
        migrations.AddField(
            model_name="sender",
            name="turn",
            field=models.PositiveIntegerField(default=0, editable=False),
        ),
        migrations.AddField(
            model_name="sender",
            name="busy_until",
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name="delivery",
            name="asked_digest",
            field=models.CharField(blank=True, max_length=64),
        ),
    ]
