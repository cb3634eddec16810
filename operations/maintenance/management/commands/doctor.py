import json
from collections import Counter
from pathlib import Path
from urllib.parse import urlsplit

from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.console import Console
from rich.table import Table
from rich.text import Text

from operations.maintenance.doctor.examination import BACKUPS, examine
from operations.maintenance.doctor.findings import Finding, Level

STYLES = {Level.OK: "green", Level.SKIPPED: "dim", Level.WARNING: "yellow", Level.ERROR: "bold red"}


class Command(BaseCommand):
    help = (
        "Looks for what goes wrong in practice, and says what to do. The status is 1 where there is an error,"
        " 0 where there are at most warnings."
    )
    # `system_checks` is one of the doctor's own checks.
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--url",
            help="Also ask the running server, as https://chat.example.org: does it answer, is its"
            " certificate good, does it believe a forged address? (That is one failed login, and forgotten"
            " at once.)",
        )
        parser.add_argument(
            "--backups", type=Path, default=BACKUPS, help=f"Where backups are looked for; {BACKUPS}."
        )
        parser.add_argument("--mail", metavar="ADDRESS", help="Also send a mail there, at once.")
        parser.add_argument("--json", action="store_true", help="Print the findings as JSON.")

    def handle(
        self,
        *args: object,
        url: str | None = None,
        backups: Path = BACKUPS,
        mail: str | None = None,
        json: bool = False,
        **options: object,
    ) -> None:
        if url is not None:
            url = _origin(url)
        findings = dict(examine(url=url, backups=backups, mail=mail))
        self.stdout.write(_as_json(findings) if json else self._as_table(findings))
        counts = Counter(finding.level for finding in findings.values())
        if counts[Level.ERROR]:
            raise SystemExit(1)

    def _as_table(self, findings: dict[str, Finding]) -> str:
        table = Table("check", "state", "found", "what to do", show_lines=False, expand=False)
        for name, finding in findings.items():
            level = Text(finding.level, style=STYLES[finding.level])
            table.add_row(name, level, Text(finding.found), Text(finding.advice))
        counts = Counter(finding.level for finding in findings.values())
        console = Console(
            force_terminal=self.stdout.isatty(), width=None if self.stdout.isatty() else 140, highlight=False
        )
        with console.capture() as captured:
            console.print(table)
            console.print(", ".join(f"{counts[level]} {level}" for level in reversed(Level)))
        return captured.get()


def _as_json(findings: dict[str, Finding]) -> str:
    rows = [
        {"check": name, "state": finding.level, "found": finding.found, "advice": finding.advice}
        for name, finding in findings.items()
    ]
    return json.dumps(rows, indent=1)


def _origin(url: str) -> str:
    """Scheme and host of `url`, without user and path. Raises CommandError if it is no URL."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise CommandError(f"--url {url!r} is no URL.") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname or port == 0:
        raise CommandError("--url must be written as https://chat.example.org")
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
