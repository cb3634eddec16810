"""Appends to the audit trail. Nothing else writes it."""

import logging

from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone

from aimessage.audit.chain import hash_of
from aimessage.audit.erasing import (
    ERASING,
    People,
    deleted_people,
    erase,
    erase_rows,
    is_erasing,
    new_salt,
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
    """Numbers and chains `entries`, dates those without a time, and stores them.

    Must be the last step of a transaction; aimessage/audit/acting.py takes care of that.
    """
    if not entries:
        return
    # The lock serialises concurrent acts; without it two rows would continue the same row. It is taken after
    # all row locks of the services, and nothing is locked after it. So its holder never waits for another
    # transaction, and it cannot be part of a deadlock.
    heads = Head.objects.select_for_update(no_key=True).filter(pk=Head.ONLY)
    head = heads.first()
    if head is None:
        Head.objects.get_or_create(pk=Head.ONLY)
        head = heads.get()
    # Read under the lock: a row about a deleted account is either older than the deletion, which erases it,
    # or newer, and then stored without personal data.
    deleted = deleted_people(entries)
    entries = _without_implied(entries)
    for entry in entries:
        erase(entry, deleted)
    _erase_before(entries, deleted, head.number + 1)
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
    explicit = {entry.target_id for entry in entries if is_erasing(entry) and not entry.is_implied}
    return [entry for entry in entries if not entry.is_implied or entry.target_id not in explicit]


def _erase_before(entries: list[Entry], deleted: People, number: int) -> None:
    """Erases what earlier rows say of the people whose deletion `entries` record; the first gets `number`.

    The first deletion in `entries` seals for all of them, so that the trail is read once.
    """
    erasing = [entry for entry in entries if is_erasing(entry)]
    if not erasing:
        return
    by = number + entries.index(erasing[0])
    people = {int(entry.target_id): deleted[int(entry.target_id)] for entry in erasing}
    sealed = erase_rows(people, by=by)
    for entry in erasing:
        entry.after |= {"erased_by": by}
    erasing[0].after |= sealed
    logger.info("erased: rows=%s users=%s by=%s", sealed["rows_erased"], sorted(people), by)


def sweep(*, dry_run: bool = False) -> dict[str, int]:
    # For accounts that were deleted by a release that did not erase their data from the trail.
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
    # Logs that are kept on another machine show that a chain was recomputed.
    for entry in entries:
        logger.info("appended: %s:%s act=%s actor=%s", entry.pk, entry.hash, entry.act, entry.actor_id)
