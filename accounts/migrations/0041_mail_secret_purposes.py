from django.db import migrations, models


class Migration(migrations.Migration):
    """The token that undoes a deletion is kept with the deletion."""

    dependencies = [("accounts", "0040_mail_and_recovery")]

    operations = [
        migrations.AlterField(
            model_name="mailsecret",
            name="purpose",
            field=models.CharField(
                choices=[("reset", "Reset"), ("verify", "Verify"), ("change", "Change")], max_length=10
            ),
        ),
    ]
