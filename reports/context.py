"""The messages around a reported one, which are stored when the report is filed, for moderators to see."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import F

from messaging.models import Message
from reports.models import ContextMessage, Report

#: Messages stored before the reported one, and as many after it.
CONTEXT = 5


@dataclass(frozen=True)
class Said:
    """A message as a report's page shows it."""

    sender_username: str | None
    created_at: datetime
    #: What it said when it was reported.
    content: str
    #: What it says now, None if it is deleted.
    now: str | None
    deleted_by_recipient: bool
    is_reported: bool

    @property
    def outcome(self) -> str:
        if self.now is None:
            return "Deleted since"
        return "Edited since" if self.now != self.content else ""


def keep_context(report: Report, message: Message) -> None:
    """Stores the messages around `message`. Call it once, in the transaction that files the report."""
    ContextMessage.objects.bulk_create(
        ContextMessage(
            report=report,
            message_id=said.pk,
            sender_id=said.sender_id,
            content=said.content,
            deleted_by_recipient=said.deleted_by_recipient,
            is_reported=said.pk == message.pk,
            sent_at=said.created_at,
        )
        for said in _around(message)
    )


def context_of(report: Report) -> list[Said]:
    """The messages around the reported one, oldest first; as they are now if the report is from before they
    were stored."""
    kept = list(report.context.annotate(sender_username=F("sender__username")))
    if not kept:
        return _as_it_stands(report.message) if report.message else []
    numbers = [said.message_id for said in kept]
    now = {
        number: (content, deleted)
        for number, content, deleted in Message.objects.filter(pk__in=numbers).values_list(
            "pk", "content", "deleted_by_recipient"
        )
    }
    return [
        Said(
            sender_username=said.sender_username,
            created_at=said.sent_at,
            content=said.content,
            now=now.get(said.message_id, (None, False))[0],
            deleted_by_recipient=now.get(said.message_id, (None, said.deleted_by_recipient))[1],
            is_reported=said.is_reported,
        )
        for said in kept
    ]


def _as_it_stands(message: Message) -> list[Said]:
    return [
        Said(
            sender_username=said.sender_username,  # type: ignore[attr-defined]
            created_at=said.created_at,
            content=said.content,
            now=said.content,
            deleted_by_recipient=said.deleted_by_recipient,
            is_reported=said.pk == message.pk,
        )
        for said in _around(message)
    ]


def _around(message: Message) -> list[Message]:
    # Served by message_conversation.
    said = Message.objects.filter(conversation=message.conversation_id).annotate(
        sender_username=F("sender__username")
    )
    before = said.filter(pk__lte=message.pk).order_by("-pk")[: CONTEXT + 1]
    after = said.filter(pk__gt=message.pk).order_by("pk")[:CONTEXT]
    return [*reversed(before), *after]
