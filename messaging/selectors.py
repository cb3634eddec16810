"""Reads across models: the list of conversations, and which people a user may see or write to."""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import TypedDict

from django.db import connection, models
from django.db.models import Count, Exists, F, OuterRef, Q, Subquery, Value
from django.db.models.functions import Coalesce, Left

from accounts.models import User
from accounts.querysets import UserQuerySet
from aimessage.db.compiled import Param
from messaging.models import Block, Message, Participant
from messaging.querysets import MessageQuerySet

#: Characters of a conversation's last message that its list shows.
PREVIEW_LENGTH = 100


def in_conversation(
    messages: MessageQuerySet, user: User | Param, conversation_id: str | Param
) -> MessageQuerySet:
    # Non-participants get an empty result without touching the messages table, so that response time leaks
    # nothing.
    own = Participant.objects.filter(conversation=conversation_id, user=user)
    if connection.vendor == "postgresql":
        # PostgreSQL evaluates the EXISTS first, and can plan for the one conversation.
        return messages.filter(Exists(own), conversation=conversation_id)
    # SQLite would evaluate an EXISTS for every message.
    return messages.filter(conversation=Subquery(own.values("conversation")))


class ConversationRow(TypedDict):
    """What the list of conversations shows of one."""

    conversation_id: str
    other_user_id: int | None
    other_user_name: str
    other_user_kind: str | None
    preview: str
    last_message_id: int
    last_message_at: datetime
    unread_count: int


def conversations_of(user: User | Param) -> models.QuerySet[Participant, ConversationRow]:
    # The last message names the other participant, since every message is between the two.
    unread = (
        Message.objects.unread_by(user)
        .filter(conversation_id=OuterRef("conversation_id"))
        .order_by()
        .values("conversation_id")
        .annotate(count=Count("*"))
        .values("count")
    )
    sent = Q(last_message__sender=user)
    return (
        Participant.objects.listed_for(user)
        .annotate(
            other_user_id=models.Case(
                models.When(sent, then=F("last_message__recipient_id")),
                default=F("last_message__sender_id"),
            ),
            other_user_name=Coalesce(
                models.Case(
                    models.When(sent, then=F("last_message__recipient__username")),
                    default=F("last_message__sender__username"),
                ),
                Value("Deleted user"),
            ),
            other_user_kind=models.Case(
                models.When(sent, then=F("last_message__recipient__kind")),
                default=F("last_message__sender__kind"),
            ),
            preview=Left("last_message__content", PREVIEW_LENGTH),
            last_message_at=F("last_message__created_at"),
            unread_count=Coalesce(Subquery(unread), 0),
        )
        .values(
            "conversation_id",
            "other_user_id",
            "other_user_name",
            "other_user_kind",
            "preview",
            "last_message_id",
            "last_message_at",
            "unread_count",
        )
    )


#: Higher rooms add functions that return the ids of further users whom a user cannot write to.
OUT_OF_REACH: list[Callable[[User], models.QuerySet[models.Model, object]]] = []


def known_to(user: User, ids: Iterable[int]) -> UserQuerySet:
    """The users among `ids` who share a conversation with `user`, or to whom `user` can write."""
    own = Participant.objects.filter(user=user).values("conversation")
    # One query for all people; the database starts from the side with fewer conversations.
    sharing = Participant.objects.filter(user__in=ids, conversation__in=own).exclude(user=user).values("user")
    named: UserQuerySet = User.objects.filter(pk__in=ids)
    return named.filter(Q(pk__in=sharing) | Q(pk__in=reachable_by(user).filter(pk__in=ids).values("pk")))


def reachable_by(user: User) -> UserQuerySet:
    """The people `user` can write to.

    Leaves out themselves, disabled accounts, pairs where either blocks the other, contacts (only those they
    wrote to can write to them), and those that a higher room puts out of reach.
    """
    blocked = Block.objects.filter(blocker=user, blocked=OuterRef("pk"))
    blocking = Block.objects.filter(blocker=OuterRef("pk"), blocked=user)
    people: UserQuerySet = User.objects.active().exclude(pk=user.pk).exclude(kind=User.Kind.CONTACT)
    for find in OUT_OF_REACH:
        people = people.exclude(pk__in=find(user))
    return people.filter(~models.Exists(blocked), ~models.Exists(blocking))
