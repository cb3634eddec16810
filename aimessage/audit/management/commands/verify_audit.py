"""`manage.py verify_audit`: finds the first row of the audit trail that was tampered with. For cron."""

import re
from argparse import ArgumentTypeError
from typing import IO, cast

from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from aimessage.audit.chain import Broken, Link, current_head, verify_chain

_LINK = re.compile(r"([0-9]{1,18}):([0-9a-f]{64})")


def link(text: str) -> Link:
    match = _LINK.fullmatch(text.strip())
    if match is None:
        raise ArgumentTypeError("NUMBER:HASH is required, as an earlier run printed it.")
    return Link(int(match[1]), match[2])


class Command(BaseCommand):
    help = (
        "Checks that no row of the audit trail was changed, removed or inserted by hand, and prints its"
        " head, to be kept elsewhere. Fails at the first row that does not fit."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--expect",
            type=link,
            metavar="NUMBER:HASH",
            help="A head that an earlier run printed. A chain that was computed anew as a whole"
            " agrees with itself, but not with this.",
        )

    def handle(self, *args: object, expect: Link | None, **options: object) -> None:
        head = current_head()
        try:
            self._follow(head, expect)
        except Broken as broken:
            raise CommandError(f"The audit trail does not hold. {broken}") from None
        except KeyboardInterrupt:
            raise CommandError("Interrupted.") from None
        rows = "1 row holds" if head.number == 1 else f"{head.number} rows hold"
        self.stdout.write(f"{rows}. Head: {head}")

    def _follow(self, head: Link, expected: Link | None) -> None:
        # Not through Django's wrapper, which adds a line break to every update.
        console = Console(file=cast(IO[str], self.stderr._out))
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=console, disable=not self.stderr.isatty()) as progress:
            task = progress.add_task("rows", total=head.number)
            for done in verify_chain(head, expected=expected):
                progress.update(task, completed=done)
