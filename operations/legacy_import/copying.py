"""Copies the tables in batches. The transaction of each batch also records the progress."""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from decimal import Decimal
from itertools import count, islice

from django.db import connections, models, reset_queries, transaction
from django.db.models import Max, Min
from django.utils import timezone

from accounts.models import Role, User
from assistant.account import get_profile
from messaging.models import Conversation, Message, Participant
from operations.legacy_import.accounts import Survey, map_user, without_taken
from operations.legacy_import.cells import LARGEST_ID, read_id, read_own_id, read_whole
from operations.legacy_import.conversations import settle_participants
from operations.legacy_import.drivers import BATCH
from operations.legacy_import.findings import Findings
from operations.legacy_import.indexes import set_aside
from operations.legacy_import.messages import OLD_ASSISTANT, write_messages
from operations.legacy_import.models import Finding, Move, Progress, SetAsideIndex, Thread
from operations.legacy_import.reports import write_reports
from operations.legacy_import.roles import map_role_ids, renumber_moderator, write_roles, write_user_roles
from operations.legacy_import.source import (
    TABLES,
    OldMessage,
    OldReport,
    OldRole,
    OldUser,
    OldUserRole,
    Row,
    Source,
)
from operations.legacy_import.writing import chunks, insert, raise_sequence
from operations.progress import Steps
from reports.models import Report

#: Batches after which the tables are analysed. Otherwise PostgreSQL keeps its plans for empty tables, also
#: for the checks of foreign keys.
ANALYZED_AFTER = {1, 10, 100}
#: The key in `Progress` for the last messages of participants, which are set at the end.
PARTICIPANTS = "participants"
Copied = type[User] | type[Message] | type[Report]
#: Models that keep the ids of the source. Roles do, too, but `write_roles` checks these itself.
MODELS: dict[str, Copied] = {"users": User, "messages": Message, "reports": Report}


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
                # The assistant has no message yet, but an id that an account of the source may have.
                User.objects.using(self.using).filter(assistant_profile__isnull=False).delete()
                renumber_moderator(self.source, using=self.using)
        return move

    def users(self) -> Steps:
        yield from self._copy(OldUser, self._write_users)
        ids = User.objects.using(self.using).order_by().values_list("pk", flat=True)
        self.accounts = set(ids.iterator(BATCH))

    def role_table(self) -> Steps:
        yield from self._copy(OldRole, self._write_roles)
        self.roles = map_role_ids(self.source, using=self.using)

    def user_roles(self) -> Steps:
        yield from self._copy(OldUserRole, self._write_user_roles)

    def messages(self) -> Steps:
        self.assistant = self._meet_assistant()
        set_aside(using=self.using)
        yield from self._copy(OldMessage, self._write_messages)

    def _meet_assistant(self) -> int | None:
        highest = self.source.highest_person_beside(OLD_ASSISTANT)
        if highest is None:
            return None
        # The assistant's account must not get an id that somebody has, or had.
        raise_sequence(User, max(highest, self.source.last_given_id("users")), using=self.using)
        pk: int = get_profile(self.using).user_id
        self.accounts.add(pk)
        return pk

    def lacks_indexes(self) -> bool:
        return SetAsideIndex.objects.using(self.using).exists()

    def reports(self) -> Steps:
        yield from self._copy(OldReport, self._write_reports)

    def _copy(self, shape: type[Row], write: Callable[[list[Row], Findings], int]) -> Steps:
        table = TABLES[shape]
        progress, _ = Progress.objects.using(self.using).get_or_create(table=table)
        if progress.last_id is None:
            # Rows whose id is no integer come first and are not counted in last_id, so a second run reads
            # them again.
            Finding.objects.using(self.using).filter(table=table).delete()
            progress.refused = 0
        total = progress.seen + self.source.count(table, after=progress.last_id)
        rows = self.source.rows(shape, after=progress.last_id)
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
            # With DEBUG=1, Django keeps every query in memory.
            reset_queries()

    def _advance(self, progress: Progress, last_id: int | None, copied: int, refused: int) -> None:
        # Whoever updates the row from the old last_id first wins: of two imports at once, one stops.
        rows = Progress.objects.using(self.using).filter(table=progress.table, last_id=progress.last_id)
        moved = rows.update(
            last_id=last_id, copied=progress.copied + copied, refused=progress.refused + refused
        )
        if not moved:
            raise Overtaken
        progress.last_id, progress.copied = last_id, progress.copied + copied
        progress.refused += refused

    def _with_good_ids(
        self, table: str, batch: list[Row], previous: int | None, findings: Findings
    ) -> Iterator[Row]:
        """Yields the rows whose id can be kept, with that id as an int. Refuses the others."""
        model = MODELS.get(table)
        taken = self._taken_ids(model, batch) if model else set()
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

    def _taken_ids(self, model: Copied, batch: list[Row]) -> set[int]:
        ids = [pk for old in batch if (pk := read_own_id(old.id)) is not None]
        if not ids:
            return set()
        # A batch is in order of ids, so one range covers it.
        between = model._base_manager.using(self.using).filter(pk__range=(min(ids), max(ids)))
        return set(between.values_list("pk", flat=True))

    def _created_before(self, model: Copied | type[Role], rows: list[Row]) -> datetime:
        # For rows without a time of their own (`read_times`).
        if not rows:
            return self.now
        earlier = model._base_manager.using(self.using).filter(pk__lt=rows[0].id).order_by("-pk")
        return earlier.values_list("created_at", flat=True).first() or self.now

    def _write_users(self, rows: list[OldUser], findings: Findings) -> int:
        users: list[User] = []
        before = self._created_before(User, rows)
        for old in rows:
            reasons = self.survey.refused.get(old.id)
            if reasons:
                reason, other = reasons[0]
                findings.refuse(old.id, reason, f"account {other}" if other else "")
                continue
            user = map_user(old, survey=self.survey, now=self.now, before=before, findings=findings)
            before = user.created_at
            users.append(user)
        users = without_taken(users, findings, using=self.using)
        insert(User, users, using=self.using)
        return len(users)

    def _write_roles(self, rows: list[OldRole], findings: Findings) -> int:
        before = self._created_before(Role, rows)
        refused = findings.refused
        write_roles(rows, now=self.now, before=before, findings=findings, using=self.using)
        # Merged roles count as taken.
        return len(rows) - (findings.refused - refused)

    def _write_user_roles(self, rows: list[OldUserRole], findings: Findings) -> int:
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
            before=self._created_before(Message, rows),
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
            before=self._created_before(Report, rows),
            findings=findings,
            using=self.using,
        )
        return len(reports)

    def _note_accounts(self, raw_ids: Iterable[object]) -> None:
        # Deleted accounts are still named: no new account may get their ids.
        highest = max((read_id(raw) or 0 for raw in raw_ids), default=0)
        if highest > self.move.highest_account:
            self.move.highest_account = highest
            Move.objects.using(self.using).update(highest_account=highest)

    def participants(self) -> Steps:
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
        connection = connections[self.using]
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                for model in (User, Conversation, Message, Participant, Thread, Report):
                    cursor.execute(f"ANALYZE {connection.ops.quote_name(model._meta.db_table)}")

    def finish(self) -> None:
        """Makes new ids start above all that the old backend gave, or that its rows name."""
        given = {table: self.source.last_given_id(table) for table in MODELS}
        with transaction.atomic(using=self.using):
            for table, model in MODELS.items():
                highest = model._base_manager.using(self.using).aggregate(high=Max("pk"))["high"] or 0
                last_id = Progress.objects.using(self.using).get(pk=table).last_id or 0
                used = [highest, given[table], last_id]
                if table == "users":
                    used.append(self.move.highest_account)
                raise_sequence(model, max(pk for pk in used if pk <= LARGEST_ID), using=self.using)
            highest = Role.objects.using(self.using).aggregate(high=Max("pk"))["high"] or 0
            raise_sequence(Role._meta.get_parent_list()[0], highest, using=self.using)
