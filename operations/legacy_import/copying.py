"""Copies the tables, batch by batch, and remembers with each batch how far it has come."""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from decimal import Decimal
from itertools import count, islice
from typing import Any

from django.db import connections, models, reset_queries, transaction
from django.db.models import Max, Min
from django.utils import timezone

from accounts.models import Role, User
from assistant.account import get_profile
from messaging.models import Conversation, Message, Participant
from operations.legacy_import.accounts import Survey, map_user
from operations.legacy_import.cells import LARGEST_ID, read_id, read_own_id, read_whole
from operations.legacy_import.conversations import settle_participants
from operations.legacy_import.drivers import BATCH
from operations.legacy_import.findings import Findings
from operations.legacy_import.indexes import put_back, set_aside
from operations.legacy_import.messages import OLD_ASSISTANT, write_messages
from operations.legacy_import.models import Finding, Move, Progress, SetAsideIndex, Thread
from operations.legacy_import.reports import write_reports
from operations.legacy_import.roles import clear_the_way, match_roles, write_roles, write_user_roles
from operations.legacy_import.source import OldMessage, OldReport, OldUser, Source
from operations.legacy_import.writing import chunks, insert, raise_sequence
from operations.progress import Steps
from reports.models import Report

#: Batches of a table after which PostgreSQL looks at what there is. It would look up keys, also those
#: that foreign keys ask for, by plans that it made for empty tables.
ANALYZED_AFTER = {1, 10, 100}
#: Stands in `Progress` for the participants, whose last messages are found at the end.
PARTICIPANTS = "participants"
MODELS: dict[str, type[models.Model]] = {
    "users": User,
    "roles": Role,
    "messages": Message,
    "reports": Report,
}


class Overtaken(Exception):
    """Another import writes into the same database."""


class Copy:
    """One run of the import of `source` into the database `using`."""

    def __init__(self, source: Source, *, survey: Survey, using: str) -> None:
        self.source, self.survey, self.using = source, survey, using
        self.move = self._begin()
        self.now = self.move.started_at
        self.accounts: set[int] = set()
        self.roles: dict[int, int] = {}
        self.assistant: int | None = None

    def _begin(self) -> Move:
        move = Move.objects.using(self.using).first()
        if move is None:
            with transaction.atomic(using=self.using):
                move = Move(
                    pk=1,
                    source=self.source.name,
                    fingerprint=self.source.fingerprint(),
                    started_at=timezone.now(),
                )
                move.save(using=self.using, force_insert=True)
                # It has no message yet, and an id that another may have.
                User.objects.using(self.using).filter(assistant_profile__isnull=False).delete()
                clear_the_way(self.source, using=self.using)
        return move

    def users(self) -> Steps:
        yield from self._copy("users", self._write_users)
        ids = User.objects.using(self.using).order_by().values_list("pk", flat=True)
        self.accounts = set(ids.iterator(BATCH))

    def role_table(self) -> Steps:
        yield from self._copy("roles", self._write_roles)
        self.roles = match_roles(self.source, using=self.using)

    def user_roles(self) -> Steps:
        yield from self._copy("user_roles", self._write_user_roles)

    def messages(self) -> Steps:
        self.assistant = self._meet_assistant()
        set_aside(using=self.using)
        yield from self._copy("messages", self._write_messages)

    def _meet_assistant(self) -> int | None:
        """The account of the assistant, where the former backend's has written or been written to."""
        highest = self.source.highest_person_beside(OLD_ASSISTANT)
        if highest is None:
            return None
        # No id that somebody has, or had.
        raise_sequence(User, max(highest, self.source.last_given_id("users")), using=self.using)
        pk: int = get_profile(self.using).user_id
        self.accounts.add(pk)
        return pk

    def lacks_indexes(self) -> bool:
        return SetAsideIndex.objects.using(self.using).exists()

    def indexes(self) -> Steps:
        yield from put_back(using=self.using)

    def reports(self) -> Steps:
        yield from self._copy("reports", self._write_reports)

    def _copy(self, table: str, write: Callable[[list[Any], Findings], int]) -> Steps:
        progress, _ = Progress.objects.using(self.using).get_or_create(table=table)
        if progress.last_id is None:
            # Rows without a number come first, and are come to again.
            Finding.objects.using(self.using).filter(table=table).delete()
            progress.refused = 0
        total = progress.seen + self.source.count(table, after=progress.last_id)
        rows = iter(self.source.rows(table, after=progress.last_id))
        previous = None
        for number in count(1):
            batch = list(islice(rows, BATCH))
            if not batch:
                break
            with transaction.atomic(using=self.using):
                findings = Findings(table)
                good = list(self._with_good_ids(table, batch, previous, findings))
                copied = write(good, findings)
                last = read_whole(batch[-1].id) if isinstance(batch[-1].id, int | Decimal) else None
                previous = progress.last_id if last is None else last
                findings.write(using=self.using)
                self._advance(progress, previous, copied, len(batch) - copied)
            if number in ANALYZED_AFTER:
                self._analyze()
            yield progress.seen, total
            # With DEBUG=1 Django keeps the text of every query.
            reset_queries()

    def _advance(self, progress: Progress, last_id: int | None, copied: int, refused: int) -> None:
        """Raises Overtaken where somebody else has come further meanwhile."""
        rows = Progress.objects.using(self.using).filter(table=progress.table, last_id=progress.last_id)
        moved = rows.update(
            last_id=last_id, copied=progress.copied + copied, refused=progress.refused + refused
        )
        if not moved:
            raise Overtaken
        progress.last_id, progress.copied = last_id, progress.copied + copied
        progress.refused += refused

    def _with_good_ids(
        self, table: str, batch: list[Any], previous: int | None, findings: Findings
    ) -> Iterator[Any]:
        """The rows whose id can be kept, with that id as a number."""
        model = MODELS.get(table)
        taken = self._taken(model, batch) if model not in (None, Role) else set()
        for old in batch:
            pk = read_own_id(old.id)
            if pk is None:
                findings.refuse(old.id, f"its id is no number from 1 to {LARGEST_ID:,}")
            elif pk == previous:
                findings.refuse(old.id, "another row has its id")
            elif pk in taken:
                findings.refuse(old.id, "its id is taken in the new database")
            else:
                previous = pk
                yield old._replace(id=pk)

    def _taken(self, model: Any, batch: list[Any]) -> set[int]:
        ids = [pk for old in batch if (pk := read_own_id(old.id)) is not None]
        if not ids:
            return set()
        # The ids of a batch ascend, so that a range holds them all.
        between = model._base_manager.using(self.using).filter(pk__range=(min(ids), max(ids)))
        return set(between.values_list("pk", flat=True))

    def _before(self, model: Any, rows: list[Any]) -> datetime:
        """When the row before these was made, for those that do not know when they were."""
        if not rows:
            return self.now
        earlier = model._base_manager.using(self.using).filter(pk__lt=rows[0].id).order_by("-pk")
        return earlier.values_list("created_at", flat=True).first() or self.now

    def _write_users(self, rows: list[OldUser], findings: Findings) -> int:
        users: list[User] = []
        before = self._before(User, rows)
        for old in rows:
            reasons = self.survey.refused.get(old.id)
            if reasons:
                reason, other = reasons[0]
                findings.refuse(old.id, reason, f"account {other}" if other else "")
                continue
            user = map_user(old, survey=self.survey, now=self.now, before=before, findings=findings)
            before = user.created_at
            users.append(user)
        users = self._without_taken(users, findings)
        insert(users, using=self.using)
        return len(users)

    def _without_taken(self, users: list[User], findings: Findings) -> list[User]:
        """Those that nobody who registered here since has a name of."""
        for key, what in (("username_key", "username"), ("email_key", "e-mail address")):
            taken = self._values_taken(key, users)
            for user in users:
                if getattr(user, key) in taken:
                    findings.refuse(user.pk, f"its {what} is taken in the new database")
            users = [user for user in users if getattr(user, key) not in taken]
        numbers = self._values_taken("phone_number", users)
        for user in users:
            if user.phone_number in numbers:
                findings.change(user.pk, "phone number left out: it is taken in the new database")
                user.phone_number = None
        return users

    def _values_taken(self, column: str, users: Iterable[User]) -> set[str]:
        taken: set[str] = set()
        for some in chunks({getattr(user, column) for user in users} - {None}):
            here = User.objects.using(self.using).filter(**{f"{column}__in": some})
            taken.update(here.order_by().values_list(column, flat=True))
        return taken

    def _write_roles(self, rows: list[Any], findings: Findings) -> int:
        before = self._before(Role, rows)
        refused = findings.refused
        write_roles(rows, now=self.now, before=before, findings=findings, using=self.using)
        # What was merged is taken too.
        return len(rows) - (findings.refused - refused)

    def _write_user_roles(self, rows: list[Any], findings: Findings) -> int:
        return write_user_roles(
            rows, roles=self.roles, accounts=self.accounts, findings=findings, using=self.using
        )

    def _write_messages(self, rows: list[OldMessage], findings: Findings) -> int:
        self._note_accounts(old for row in rows for old in (row.sender_id, row.recipient_id))
        messages = write_messages(
            rows,
            accounts=self.accounts,
            assistant=self.assistant,
            now=self.now,
            before=self._before(Message, rows),
            findings=findings,
            using=self.using,
        )
        return len(messages)

    def _write_reports(self, rows: list[OldReport], findings: Findings) -> int:
        self._note_accounts(old for row in rows for old in (row.reporter_id, row.resolved_by))
        reports = write_reports(
            rows,
            accounts=self.accounts,
            now=self.now,
            before=self._before(Report, rows),
            findings=findings,
            using=self.using,
        )
        return len(reports)

    def _note_accounts(self, raw_ids: Iterable[Any]) -> None:
        """Remembers the highest account that is named, there or deleted."""
        highest = max((read_id(raw) or 0 for raw in raw_ids), default=0)
        if highest > self.move.highest_account:
            self.move.highest_account = highest
            Move.objects.using(self.using).update(highest_account=highest)

    def participants(self) -> Steps:
        """Finds the newest message that each participant can see, where messages came in."""
        copied, _ = Progress.objects.using(self.using).get_or_create(table="messages")
        settled, _ = Progress.objects.using(self.using).get_or_create(table=PARTICIPANTS)
        if copied.last_id == settled.last_id:
            return
        self._analyze()
        members = Participant.objects.using(self.using)
        if settled.last_id is not None:
            members = members.filter(conversation__messages__pk__gt=settled.last_id)
        ends = members.aggregate(low=Min("pk"), high=Max("pk"), count=models.Count("pk", distinct=True))
        done = 0
        for start in range(ends["low"] or 0, (ends["high"] or -1) + 1, BATCH):
            some = members.filter(pk__gte=start, pk__lt=start + BATCH)
            pks = list(some.distinct().values_list("pk", flat=True))
            for chunk in chunks(pks):
                settle_participants(Participant.objects.using(self.using).filter(pk__in=chunk))
            done += len(pks)
            yield done, ends["count"]
        Progress.objects.using(self.using).filter(pk=PARTICIPANTS).update(last_id=copied.last_id)

    def _analyze(self) -> None:
        """Tells PostgreSQL how the tables are filled now, or it would plan as if they were empty."""
        connection = connections[self.using]
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                for model in (User, Conversation, Message, Participant, Thread, Report):
                    cursor.execute(f"ANALYZE {connection.ops.quote_name(model._meta.db_table)}")

    def finish(self) -> None:
        """Lets new ids begin above all that the old backend gave, or named."""
        given = {table: self.source.last_given_id(table) for table in ("users", "messages", "reports")}
        with transaction.atomic(using=self.using):
            for table, model in (("users", User), ("messages", Message), ("reports", Report)):
                highest = model._base_manager.using(self.using).aggregate(high=Max("pk"))["high"] or 0
                least = [highest, given[table]]
                least += [self.move.highest_account] if table == "users" else []
                last_id = Progress.objects.using(self.using).get(pk=table).last_id or 0
                least += [last_id]
                raise_sequence(model, max(pk for pk in least if pk <= LARGEST_ID), using=self.using)
            highest = Role.objects.using(self.using).aggregate(high=Max("pk"))["high"] or 0
            raise_sequence(Role._meta.get_parent_list()[0], highest, using=self.using)
