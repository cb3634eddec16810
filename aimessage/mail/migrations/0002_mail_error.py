from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("mail", "0001_outbox")]

    operations = [
        migrations.AddField(
            model_name="mail",
            name="error",
            field=models.CharField(blank=True, db_default="", default="", max_length=255),
        ),
    ]
