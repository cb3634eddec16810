"""Deletes what has expired, in all apps."""

from collections.abc import Iterator

from accounts import guesses, tickets
from accounts.services import (
    codes,
    exchange,
    invitations,
    leaving,
    mail_secrets,
    pending_logins,
    second_factor,
    sessions,
    tokens,
)
from aimessage.audit import services as audit
from aimessage.db import rate_windows
from aimessage.events import log
from aimessage.jobs import pruning
from aimessage.mail import outbox
from assistant import sweeping as assistant
from channels.services import incoming, linking
from messaging.models import Conversation
from messaging.services import retention
from reports import services as reports
from reports.models import Report


def sweep_all(*, dry_run: bool = False) -> Iterator[tuple[str, int]]:
    """Deletes what has expired; yields the name and count of each kind. `dry_run` only counts.

    Safe at any time, beside requests and beside another sweep.
    """
    yield from sessions.sweep(dry_run=dry_run).items()
    yield from tickets.sweep_tickets(dry_run=dry_run).items()
    yield from tokens.sweep(dry_run=dry_run).items()
    yield from invitations.sweep(dry_run=dry_run).items()
    yield from guesses.sweep(dry_run=dry_run).items()
    yield from pending_logins.sweep(dry_run=dry_run).items()
    yield from codes.sweep(dry_run=dry_run).items()
    yield from second_factor.sweep(dry_run=dry_run).items()
    yield from exchange.sweep(dry_run=dry_run).items()
    yield from leaving.sweep(dry_run=dry_run).items()
    yield from mail_secrets.sweep(dry_run=dry_run).items()
    yield from outbox.sweep(dry_run=dry_run).items()
    yield from rate_windows.sweep(dry_run=dry_run).items()
    yield from pruning.sweep(dry_run=dry_run).items()
    # Moderators see the messages around a reported one.
    under_review = Conversation.objects.filter(messages__reports__in=Report.objects.unresolved())
    yield from retention.sweep(keep=under_review, dry_run=dry_run).items()
    yield from linking.sweep(dry_run=dry_run).items()
    yield from incoming.sweep(dry_run=dry_run).items()
    yield from assistant.sweep(dry_run=dry_run).items()
    yield from log.sweep(dry_run=dry_run).items()
    yield from reports.sweep(dry_run=dry_run).items()
    yield from audit.sweep(dry_run=dry_run).items()
