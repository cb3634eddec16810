"""Who may talk, and what was said."""

import re

from django.conf import settings
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import F, Q

from aimessage.api.idempotency import IdempotentModel
from aimessage.models import TimeStamped
from messaging import lookups  # noqa: F401  registers them
from messaging.querysets import BlockQuerySet, MessageQuerySet, ParticipantQuerySet

CONTENT_MAX_LENGTH = 20_000
CONVERSATION_ID_MAX_LENGTH = 100

CONVERSATION_ID_PATTERN = re.compile(r"[A-Za-z0-9_.:@+-]{1,100}")

validate_conversation_id = RegexValidator(
    rf"^{CONVERSATION_ID_PATTERN.pattern}\Z",
    "A conversation id consists of 1 to 100 letters, digits and _ . : @ + - only.",
)


def default_conversation_id(one: int, other: int) -> str:
    """The conversation of two users who name no other."""
    low, high = sorted((one, other))
    return f"conv_{low}_{high}"


class Conversation(models.Model):
    id = models.CharField(
        max_length=CONVERSATION_ID_MAX_LENGTH,
        primary_key=True,
        validators=[validate_conversation_id],
    )
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.id


class Participant(models.Model):
    """One of a conversation's two participants; the row stays when the account is deleted."""

    conversation = models.ForeignKey(
        Conversation, on_delete=models.CASCADE, related_name="participants", db_index=False
    )
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, db_index=False)
    #: The newest message that this participant can see.
    last_message = models.ForeignKey("Message", on_delete=models.SET_NULL, null=True, related_name="+")

    objects = ParticipantQuerySet.as_manager()

    class Meta:
        constraints = [
            # also: who takes part in a conversation
            models.UniqueConstraint(fields=["conversation", "user"], name="participant_once_per_conversation")
        ]
        indexes = [
            # GET /auth/conversations
            models.Index(fields=["user", "-last_message"], name="participant_latest")
        ]

    def __str__(self) -> str:
        return f"user {self.user_id} in {self.conversation_id}"


class Message(TimeStamped, IdempotentModel):
    # When an account is deleted, its messages stay with those who received them.
    sender = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        related_name="sent_messages",
        db_index=False,
    )
    recipient = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        related_name="received_messages",
        db_index=False,
    )
    conversation = models.ForeignKey(
        Conversation, on_delete=models.CASCADE, related_name="messages", db_index=False
    )
    content = models.TextField()
    is_read = models.BooleanField(default=False)
    parent = models.ForeignKey("self", on_delete=models.SET_NULL, null=True, related_name="replies")
    deleted_by_recipient = models.BooleanField(default=False)

    objects = MessageQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["sender", "idempotency_key"], name="message_once_per_idempotency_key"
            ),
            models.CheckConstraint(condition=~Q(sender=F("recipient")), name="message_not_to_oneself"),
        ]
        indexes = [
            # GET /messages and /messages/sent
            models.Index(fields=["sender", "id"], name="message_sender"),
            # GET /messages and /messages/received
            models.Index(fields=["recipient", "id"], name="message_recipient"),
            # GET /auth/conversations/{id}/messages
            models.Index(fields=["conversation", "id"], name="message_conversation"),
            # unread counts, mark as read
            models.Index(
                fields=["recipient", "conversation"],
                name="message_unread",
                condition=Q(is_read=False, deleted_by_recipient=False),
            ),
            # the sweep of idempotency keys
            models.Index(
                fields=["created_at"], name="message_keyed", condition=Q(idempotency_key__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return f"message {self.pk} in {self.conversation_id}"


class Block(TimeStamped):
    """`blocker` wants nothing from `blocked`; neither can then write to the other."""

    blocker = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="blocks",
        db_index=False,
    )
    blocked = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="blocked_by")

    objects = BlockQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["blocker", "blocked"], name="block_once"),
            models.CheckConstraint(condition=~Q(blocker=F("blocked")), name="block_not_oneself"),
        ]

    def __str__(self) -> str:
        return f"user {self.blocker_id} blocks user {self.blocked_id}"
