"""What a database holds, apart from what migrations put there."""

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.loader import MigrationLoader

from operations.maintenance.backup.errors import BackupError
from operations.maintenance.backup.manifest import LEFT_OUT, Manifest

#: Tables that migrations or workers fill: a restore may overwrite them.
FILLED_BY_MIGRATIONS = {
    "accounts_role",
    "auth_group",
    "auth_group_permissions",
    "auth_permission",
    "django_content_type",
    "django_migrations",
    # Written by every worker, and worthless without the other tables.
    "django_tasks_database_dbtaskresult",
    "jobs_lease",
    "jobs_tick",
    # Holds the epoch, which a restore renews.
    "events_state",
    *LEFT_OUT,
}
#: Apps that earlier releases had installed; a migration of ours took over their rows.
FORMER_APPS = {"axes"}


def count_rows(connection: BaseDatabaseWrapper) -> dict[str, int]:
    """Counts the rows of each table that holds any, without those that migrations fill."""
    counts = {}
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT count(*) FROM {connection.ops.quote_name(table)}")  # noqa: S608
            counts[table] = cursor.fetchone()[0]
    return {table: rows for table, rows in counts.items() if rows and table not in FILLED_BY_MIGRATIONS}


def missing_migrations(manifest: Manifest) -> list[str]:
    """The migrations of this release that the backup lacks.

    Raises BackupError if the backup has a migration that this release lacks.
    """
    known = {f"{app}.{name}" for app, name in MigrationLoader(None).disk_migrations or {}}
    former = {name for name in manifest.contents.migrations if name.partition(".")[0] in FORMER_APPS}
    unknown = sorted(set(manifest.contents.migrations) - known - former)
    if unknown:
        raise BackupError(
            f"The backup is of another release: this one does not know its migration {unknown[0]}"
            f"{' and others' if len(unknown) > 1 else ''}. Install the release that it was taken from, or a"
            " newer one."
        )
    return sorted(known - set(manifest.contents.migrations))
