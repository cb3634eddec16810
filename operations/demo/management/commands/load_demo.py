import argparse
from functools import cache
from typing import Any

from django.contrib.auth.hashers import check_password
from django.contrib.auth.models import Group
from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.console import Console
from rich.table import Table

from accounts.models import MODERATOR, User
from messaging.models import Message
from operations.demo.incidents import write_failures, write_trail
from operations.demo.messages import write_blocks, write_messages
from operations.demo.names import DOMAIN
from operations.demo.people import (
    ADMIN_EMAIL,
    MODERATOR_EMAIL,
    PASSWORD,
    STAR_EMAILS,
    demo_people,
    write_people,
)
from operations.demo.reports import write_reports
from operations.demo.sessions import write_sessions
from operations.progress import follow

#: The least and the most of each. With fewer than six people nobody quarrels; for more than the most there is
#: the benchmark.
LIMITS = {"people": (6, 5_000), "messages": (0, 1_000_000), "reports": (0, 5_000)}
#: The maximum in the demo's two months.
MESSAGES_PER_PERSON = 2_000

_PLACES = {ADMIN_EMAIL: ("superuser", "/admin/"), MODERATOR_EMAIL: ("moderator", "/admin/")}

HELP = f"""\
Fills the database with people, conversations and reports to try things on, and prints logins.

Run it again to finish what was interrupted, or with larger sizes to add to what is there: it adds
what is missing, and never changes or deletes. Demo accounts are those under @{DOMAIN}. What is
added later is also written later: more messages come after the newest that are there.

All demo accounts, one superuser among them, have one password: {PASSWORD}. As it is no
secret, the command refuses a database that holds any other account; --force lifts that.
"""


class Command(BaseCommand):
    help = HELP

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        # Keeps the paragraphs of the help apart.
        kwargs["formatter_class"] = argparse.RawDescriptionHelpFormatter
        return super().create_parser(prog_name, subcommand, **kwargs)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--people", type=int, default=40, help=_range("accounts", "people", 40))
        parser.add_argument("--messages", type=int, default=1_500, help=_range("messages", "messages", 1_500))
        parser.add_argument("--reports", type=int, default=25, help=_range("reports", "reports", 25))
        parser.add_argument(
            "--force",
            action="store_true",
            help="Run although there are accounts that are not the demo's. Whoever reaches such a server"
            " can log in as its superuser.",
        )

    def handle(
        self, *args: object, people: int, messages: int, reports: int, force: bool = False, **options: object
    ) -> None:
        _check_sizes(people=people, messages=messages, reports=reports)
        _check_database(force)
        try:
            follow("people", write_people(people), self.stdout)
            follow("logins", write_sessions(), self.stdout)
            follow("messages", write_messages(messages, reports=reports), self.stdout)
            follow("blocks", write_blocks(), self.stdout)
            follow("reports", write_reports(reports), self.stdout)
            follow("failures", write_failures(), self.stdout)
            follow("trail", write_trail(), self.stdout)
        except KeyboardInterrupt:
            raise CommandError("Interrupted. Run the same again to add what is missing.") from None
        # Django's wrapper ends lines that lack an end; rich writes whole lines.
        console = Console(file=self.stdout, width=None if self.stdout.isatty() else 100, highlight=False)  # type: ignore[arg-type]
        console.print(_logins())


def _range(noun: str, name: str, default: int) -> str:
    low, high = LIMITS[name]
    return f"How many {noun} there shall be, {low:,} to {high:,}; {default:,} if not given."


def _check_sizes(**sizes: int) -> None:
    for name, size in sizes.items():
        low, high = LIMITS[name]
        if not low <= size <= high:
            raise CommandError(f"--{name} must be from {low:,} to {high:,}, not {size:,}.")
    most = sizes["people"] * MESSAGES_PER_PERSON
    if sizes["messages"] > most:
        raise CommandError(
            f"--messages must be at most {most:,} for {sizes['people']:,} people,"
            f" {MESSAGES_PER_PERSON:,} for each, so that there is time left to sleep."
        )


def _check_database(force: bool) -> None:
    others = User.objects.exclude(pk__in=demo_people().order_by().values("pk")).count()
    if others and not force:
        raise CommandError(
            f"This database holds {others:,} account(s) besides the demo's. The demo brings a superuser"
            " whose password everybody can look up, so it wants a database of its own: `make demo` makes"
            " one, and DATABASE_URL names another. Where nobody else can reach the server, --force does it"
            " all the same."
        )
    if not Group.objects.filter(name=MODERATOR).exists():
        raise CommandError(f"The role {MODERATOR!r}, which comes with the migrations, is gone. Add it first.")


def _logins() -> Table:
    table = Table(title=f"Logins to try; the password of each is {PASSWORD}", title_justify="left")
    for column in ("username", "who", "sign in at"):
        table.add_column(column)
    for user in User.objects.filter(email_key__in=[*_PLACES, *STAR_EMAILS]).order_by("pk"):
        who, where = _PLACES.get(user.email, (_talk(user), "/chat"))
        table.add_row(user.username, f"{who}{_changes(user)}", where)
    return table


def _talk(user: User) -> str:
    sent, received = Message.objects.sent_by(user).count(), Message.objects.received_by(user).count()
    return f"wrote {sent:,} messages, got {received:,}"


def _changes(user: User) -> str:
    # A later run of the demo does not undo what people changed.
    if not user.is_active:
        return ", disabled since"
    if not _is_demo_password(user.password):
        return ", password changed since"
    if user.email == ADMIN_EMAIL and not user.is_superuser:
        return " no more"
    return ""


@cache  # Slow, and all accounts of one run have the same hash.
def _is_demo_password(encoded: str) -> bool:
    return check_password(PASSWORD, encoded)
