"""What appends to the audit trail, and the only thing that writes it."""

import logging

from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone

from aimessage.audit.chain import hash_of
from aimessage.audit.erasing import (
    ERASING,
    People,
    erase,
    erase_rows,
    is_erasing,
    new_salt,
    people_gone,
    user_kind,
)
from aimessage.audit.models import Entry, Head
from aimessage.db.text import fold
from aimessage.server.logs import request_id

#: Accounts per transaction of an erasure.
ERASED_AT_ONCE = 100

logger = logging.getLogger("audit")


@transaction.atomic(savepoint=False)
def append_entries(entries: list[Entry]) -> None:
    """Numbers, dates (those that have no time yet) and chains `entries`, and stores them.

    To be the last thing that a transaction does: see aimessage/audit/acting.py, which sees to that.
    """
    if not entries:
        return
    # The lock puts acts that happen at once in one line. Without it two rows would continue the same
    # row. It comes after every row lock of the services and nothing is locked after it, so that
    # whoever holds it waits for nobody: no two transactions can wait for each other through it.
    heads = Head.objects.select_for_update(no_key=True).filter(pk=Head.ONLY)
    head = heads.first()
    if head is None:
        Head.objects.get_or_create(pk=Head.ONLY)
        head = heads.get()
    # Read under the lock: a row about a deleted account either stands before its deletion, and is erased by
    # it, or comes later, and is stored without what is personal.
    gone = people_gone(entries)
    entries = _without_implied(entries)
    for entry in entries:
        erase(entry, gone)
    _erase_before(entries, gone, head.number + 1)
    for entry in entries:
        head.number += 1
        entry.pk, entry.previous_hash = head.number, head.hash
        entry.created_at = entry.created_at or timezone.now()
        entry.actor_key, entry.target_key = fold(entry.actor_name), fold(entry.target_label)
        entry.salt = new_salt()
        entry.hash = head.hash = hash_of(entry)
    Entry.objects.bulk_create(entries)
    head.save(update_fields=["number", "hash"])
    transaction.on_commit(lambda: _log(entries))


def _without_implied(entries: list[Entry]) -> list[Entry]:
    told = {entry.target_id for entry in entries if is_erasing(entry) and not entry.is_implied}
    return [entry for entry in entries if not entry.is_implied or entry.target_id not in told]


def _erase_before(entries: list[Entry], gone: People, number: int) -> None:
    """Erases the personal data of the people whose deletion `entries` record; the first entry gets `number`.

    The first that records one seals for all of them, so that the trail is read once.
    """
    erasing = [entry for entry in entries if is_erasing(entry)]
    if not erasing:
        return
    by = number + entries.index(erasing[0])
    people = {int(entry.target_id): gone[int(entry.target_id)] for entry in erasing}
    sealed = erase_rows(people, by=by)
    for entry in erasing:
        entry.after |= {"erased_by": by}
    erasing[0].after |= sealed
    logger.info("erased: rows=%s users=%s by=%s", sealed["rows_erased"], sorted(people), by)


def sweep(*, dry_run: bool = False) -> dict[str, int]:
    """Erases what the trail tells of accounts that were deleted before deletions erased it; returns how many
    those are."""
    later = Entry.objects.filter(
        act__in=ERASING, target_kind=user_kind(), target_id=OuterRef("target_id"), after__has_key="erased_by"
    )
    left = Entry.objects.filter(act="user.deleted", target_kind=user_kind()).exclude(Exists(later))
    pks = list(left.order_by("pk").values_list("target_id", flat=True))
    for start in range(0, 0 if dry_run else len(pks), ERASED_AT_ONCE):
        with transaction.atomic():
            append_entries([_erased(pk) for pk in pks[start : start + ERASED_AT_ONCE]])
    return {"deleted accounts in the audit trail": len(pks)}


def _erased(pk: str) -> Entry:
    return Entry(
        act="user.erased",
        sentence="Erased what was personal of an account that had been deleted.",
        target_kind=user_kind(),
        target_id=pk,
        request_id=request_id.get(),
    )


def _log(entries: list[Entry]) -> None:
    """Logs kept on another machine are what a chain computed anew cannot agree with."""
    for entry in entries:
        logger.info("appended: %s:%s act=%s actor=%s", entry.pk, entry.hash, entry.act, entry.actor_id)
