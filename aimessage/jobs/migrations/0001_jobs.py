from django.db import migrations, models

# Serves the reaper (what runs), pruning (what ended before) and the counts, none of which may read every job
# that ever ran. The table is the library's, and empty by now.
INDEX = "CREATE INDEX jobs_by_status ON django_tasks_database_dbtaskresult (status, finished_at)"


class Migration(migrations.Migration):
    initial = True

    dependencies = [("django_tasks_database", "0021_conditional_partial_index_ordering")]

    operations = [
        migrations.RunSQL(INDEX, "DROP INDEX jobs_by_status"),
        migrations.CreateModel(
            name="Lease",
            fields=[
                ("name", models.CharField(max_length=150, primary_key=True, serialize=False)),
                ("holder", models.CharField(max_length=150)),
                ("until", models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name="Tick",
            fields=[
                ("name", models.CharField(max_length=100, primary_key=True, serialize=False)),
                ("period", models.BigIntegerField()),
            ],
        ),
        migrations.CreateModel(
            name="Job",
            fields=[],
            options={
                "verbose_name": "job",
                "verbose_name_plural": "jobs",
                "ordering": ["-enqueued_at"],
                "proxy": True,
                "indexes": [],
                "constraints": [],
            },
            bases=("django_tasks_database.dbtaskresult",),
        ),
    ]
