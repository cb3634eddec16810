"""What appends to the audit trail, and the only thing that writes it."""

import logging

from django.db import transaction
from django.utils import timezone

from aimessage.audit.chain import hash_of
from aimessage.audit.models import Entry, Head
from aimessage.db.text import fold

logger = logging.getLogger("audit")


@transaction.atomic(savepoint=False)
def append_entries(entries: list[Entry]) -> None:
    """Numbers, dates and chains `entries`, and stores them.

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
    for entry in entries:
        head.number += 1
        entry.pk, entry.previous_hash, entry.created_at = head.number, head.hash, timezone.now()
        entry.actor_key, entry.target_key = fold(entry.actor_name), fold(entry.target_label)
        entry.hash = head.hash = hash_of(entry)
    Entry.objects.bulk_create(entries)
    head.save(update_fields=["number", "hash"])
    transaction.on_commit(lambda: _log(entries))


def _log(entries: list[Entry]) -> None:
    """Logs kept on another machine are what a chain computed anew cannot agree with."""
    for entry in entries:
        logger.info("appended: %s:%s act=%s actor=%s", entry.pk, entry.hash, entry.act, entry.actor_id)
