import argparse
import csv
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DEFAULT_DB_ALIAS, DatabaseError
from django.db.models import Count, Min, QuerySet
from rich.console import Console
from rich.table import Table

from operations.legacy_import.accounts import Survey, survey_accounts
from operations.legacy_import.copying import Copy, Overtaken
from operations.legacy_import.drivers import SourceError
from operations.legacy_import.indexes import put_back
from operations.legacy_import.models import Finding, Progress
from operations.legacy_import.source import LEFT_BEHIND, SHAPES, Source, open_source
from operations.legacy_import.targets import NotReady, check_target, scratch_database
from operations.progress import follow

#: Ids that the summary names per kind of finding.
EXAMPLES = 3
COLUMNS = ["table", "id", "outcome", "reason", "detail"]

HELP = """\
Copies the database of the old FastAPI backend, named by its DATABASE_URL, into the one of this project.

Run it with --dry-run first: that imports into a throwaway database and tells what would come of it.
Ids are kept. An import that was stopped goes on where it was when the same command is run again; one
that is complete changes nothing. docs/moving-in.md tells of the whole move.
"""


class Command(BaseCommand):
    help = HELP

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        # Keeps the paragraphs of the help apart.
        kwargs["formatter_class"] = argparse.RawDescriptionHelpFormatter
        return super().create_parser(prog_name, subcommand, **kwargs)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("url", metavar="DATABASE_URL", help="Of the old backend. It is only read.")
        parser.add_argument(
            "--dry-run",
            action="store_true",
            help="Write nothing but a temporary file; list every row that cannot be taken, with the reason.",
        )
        parser.add_argument(
            "--rejected",
            type=Path,
            metavar="FILE.csv",
            help="Write every row that was not taken there, with the reason, instead of listing them.",
        )
        parser.add_argument(
            "--changed",
            type=Path,
            metavar="FILE.csv",
            help="Write every row there that was taken, but not as it was, with what became of it.",
        )
        parser.add_argument(
            "--rename-duplicates",
            action="store_true",
            help="Of accounts whose username or e-mail address differs by case alone, the oldest keeps it;"
            " the others get their id appended, as bob-17 and bob+17@example.org. So do accounts without.",
        )
        parser.add_argument(
            "--leave-out-accounts",
            action="store_true",
            help="Leave such accounts out instead. What they wrote then shows a deleted user.",
        )

    def handle(
        self,
        *args: object,
        url: str,
        dry_run: bool = False,
        rejected: Path | None = None,
        changed: Path | None = None,
        rename_duplicates: bool = False,
        leave_out_accounts: bool = False,
        **options: object,
    ) -> None:
        if rename_duplicates and leave_out_accounts:
            raise CommandError("Either --rename-duplicates or --leave-out-accounts: not both.")
        source = None
        try:
            source = open_source(url)
            self._tell_of_source(source)
            survey = survey_accounts(source, repair=rename_duplicates)
            if dry_run:
                refused = self._try_out(source, survey, rejected, changed)
            else:
                refused = self._import(source, survey, rejected, changed, leave_out=leave_out_accounts)
        except (SourceError, NotReady) as error:
            raise CommandError(str(error)) from error
        except Overtaken as error:
            raise CommandError("Another import into this database is at work. Wait for its end.") from error
        except KeyboardInterrupt:
            raise CommandError("Interrupted. Run the same again to go on.") from None
        except DatabaseError as error:
            raise CommandError(
                f"The database refused: {str(error).strip()}. Nothing of the last batch was written;"
                " once the cause is gone, run the same again to go on."
            ) from error
        except OSError as error:
            raise CommandError(f"{error.filename or 'A file'}: {error.strerror}.") from error
        finally:
            if source is not None:
                source.driver.close()
        if refused:
            raise CommandError(
                f"{refused:,} row(s) {'cannot be' if dry_run else 'were not'} taken, see above.",
                returncode=2,
            )

    def _tell_of_source(self, source: Source) -> None:
        self.stdout.write(f"Reading {source.name}")
        for table in SHAPES:
            if not source.has(table):
                self.stdout.write(f"There is no table {table}; so there is nothing to copy from it.")
            elif missing := source.missing_columns(table):
                self.stdout.write(f"The table {table} has no {', '.join(missing)}; defaults stand in.")

    def _try_out(self, source: Source, survey: Survey, rejected: Path | None, changed: Path | None) -> int:
        with scratch_database() as alias:
            self._copy(source, survey, using=alias)
            refused = self._report(source, alias, rejected, changed, every=True)
        self.stdout.write("This was a trial: nothing was written to the new database.")
        if survey.refused:
            self.stdout.write(_accounts_advice(survey))
        try:
            move = check_target(source)
            said = "is ready" if move is None else "holds a part of this import, which can go on"
            self.stdout.write(f"The new database {said}.")
        except NotReady as error:
            self.stdout.write(f"Not ready yet: {error}")
        return refused

    def _import(
        self,
        source: Source,
        survey: Survey,
        rejected: Path | None,
        changed: Path | None,
        *,
        leave_out: bool,
    ) -> int:
        check_target(source)
        if survey.refused and not leave_out:
            for pk, reasons in sorted(survey.refused.items()):
                for reason, other in reasons:
                    self.stdout.write(f"users {pk}: {reason}{f' (account {other})' if other else ''}")
            raise CommandError(f"{_accounts_advice(survey)} Nothing was written.")
        self._copy(source, survey, using=DEFAULT_DB_ALIAS)
        return self._report(source, DEFAULT_DB_ALIAS, rejected, changed, every=False)

    def _copy(self, source: Source, survey: Survey, *, using: str) -> None:
        copy = Copy(source, survey=survey, using=using)
        follow("users", copy.users(), self.stdout)
        follow("roles", copy.role_table(), self.stdout)
        follow("holders", copy.user_roles(), self.stdout)
        follow("messages", copy.messages(), self.stdout)
        if copy.lacks_indexes():
            follow("indexes", put_back(using=using), self.stdout)
        follow("reports", copy.reports(), self.stdout)
        follow("lists", copy.participants(), self.stdout)
        copy.finish()

    def _report(
        self, source: Source, using: str, rejected: Path | None, changed: Path | None, *, every: bool
    ) -> int:
        # From this run and earlier ones.
        findings = Finding.objects.using(using).order_by("pk")
        refused = findings.filter(outcome=Finding.Outcome.REFUSED)
        if rejected:
            _write_csv(rejected, refused)
        elif every:
            for row in refused.iterator():
                detail = f" ({row.detail})" if row.detail else ""
                self.stdout.write(f"{row.table} {row.row_id}: {row.reason}{detail}")
        if changed:
            _write_csv(changed, findings.filter(outcome=Finding.Outcome.CHANGED))
        # Django's wrapper ends lines that lack an end; rich writes whole lines.
        console = Console(file=self.stdout, width=None if self.stdout.isatty() else 120, highlight=False)  # type: ignore[arg-type]
        console.print(_summary(source, using))
        if findings:
            console.print(_kinds(findings, using))
        for table in LEFT_BEHIND:
            if source.has(table):
                count = source.count(table)
                self.stdout.write(f"{table}: {count:,} rows stay behind; everybody logs in once again.")
        total: int = refused.count()
        return total


def _accounts_advice(survey: Survey) -> str:
    return (
        f"{len(survey.refused):,} account(s) cannot be taken as they are. Change them in the old database,"
        " or run with --rename-duplicates, which gives them another name, or with --leave-out-accounts."
    )


def _write_csv(path: Path, findings: QuerySet[Finding]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for row in findings.iterator():
            writer.writerow([row.table, row.row_id, row.outcome, row.reason, row.detail])


def _summary(source: Source, using: str) -> Table:
    table = Table(title="Rows", title_justify="left")
    table.add_column("table")
    for column in ("in the old database", "taken", "not taken"):
        table.add_column(column, justify="right")
    progress = Progress.objects.using(using).in_bulk()
    for name in SHAPES:
        row = progress.get(name)
        table.add_row(
            name,
            f"{source.count(name):,}",
            f"{row.copied if row else 0:,}",
            f"{row.refused if row else 0:,}",
        )
    return table


def _kinds(findings: QuerySet[Finding], using: str) -> Table:
    table = Table(title="What could not be taken, or not as it was", title_justify="left")
    for column in ("table", "outcome", "why"):
        table.add_column(column, overflow="fold")
    table.add_column("rows", justify="right")
    table.add_column("ids")
    kinds = findings.order_by("table", "-outcome", "reason").values("table", "outcome", "reason")
    for kind in kinds.annotate(rows=Count("pk"), first=Min("pk")):
        same = {key: kind[key] for key in ("table", "outcome", "reason")}
        rows = Finding.objects.using(using).filter(**same, pk__gte=kind["first"]).order_by("pk")
        ids = list(rows.values_list("row_id", flat=True)[:EXAMPLES])
        more = " …" if kind["rows"] > EXAMPLES else ""
        table.add_row(
            kind["table"], kind["outcome"], kind["reason"], f"{kind['rows']:,}", ", ".join(ids) + more
        )
    return table
