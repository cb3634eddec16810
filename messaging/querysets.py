from collections.abc import Iterable, Sequence
from typing import Any

from django.apps import apps
from django.db import connection, models
from django.db.models import Count, Exists, F, OuterRef, Q, Subquery, Value
from django.db.models.functions import Cast, Coalesce, Left

from accounts.models import User
from accounts.querysets import UserQuerySet
from messaging.lookups import HoldsAll

#: Characters of a conversation's last message that its list shows.
PREVIEW_LENGTH = 100
#: Words of a search that the index over the letters looks for.
INDEXED_PATTERNS = 2


def _big(user: User) -> Cast:
    """The user's id as its columns have it; GIN indexes do not compare integers of different sizes."""
    return Cast(models.Value(user.pk), models.BigIntegerField())


class MessageQuerySet(models.QuerySet[Any]):
    def sent_by(self, user: User) -> "MessageQuerySet":
        """What `user` sent and did not delete. Served by message_sender, searches by message_search."""
        return self.filter(sender=_big(user))

    def received_by(self, user: User) -> "MessageQuerySet":
        """What `user` received and did not delete. Served by message_recipient, and message_search."""
        return self.filter(recipient=_big(user), deleted_by_recipient=False)

    def visible_to(self, user: User) -> "MessageQuerySet":
        """Both. For a single message or one conversation; a list reads the two apart, and merges.

        As a CASE, since PostgreSQL would take a condition that indexes know for rarely true, read all of
        a conversation and sort it (migration 0004).
        """
        seen = Q(sender=user) | Q(recipient=user, deleted_by_recipient=False)
        return self.filter(models.Case(models.When(seen, then=Value(True)), default=Value(False)))

    def unread_by(self, user: User) -> "MessageQuerySet":
        """Served by message_unread."""
        return self.received_by(user).filter(is_read=False)

    def count_unread_by(self, user: User) -> models.QuerySet[Any, tuple[int]]:
        """A row with how many those are, or none. Served by message_unread, without the messages."""
        mine = self.unread_by(user).order_by().values("recipient")
        return mine.annotate(count=Count("*")).values_list("count")

    def between(self, user: User, other_id: int) -> "MessageQuerySet":
        """Those from one to the other, either way; none where both are the same."""
        return self.filter(Q(sender=user, recipient=other_id) | Q(sender=other_id, recipient=user))

    def in_conversation(self, user: User, conversation_id: str) -> "MessageQuerySet":
        """Those of a conversation that `user` takes part in. Of one of others there are none, and none is
        read: how long that takes would tell how much they write to each other."""
        participants = apps.get_model("messaging", "Participant").objects
        own = participants.filter(conversation=conversation_id, user=user)
        if connection.vendor == "postgresql":
            # This is looked at before all else, and plans can be made for the conversation.
            return self.filter(Exists(own), conversation=conversation_id)
        # SQLite would look at it with every message.
        return self.filter(conversation=Subquery(own.values("conversation")))

    def matching(self, patterns: Sequence[str]) -> "MessageQuerySet":
        """Those whose content matches every pattern (lookups.py), without regard to case or order.

        Each condition that the index serves folds the text anew, so only the first patterns are such.
        """
        indexed = INDEXED_PATTERNS if connection.vendor == "postgresql" else 0
        found = self
        for pattern in patterns[:indexed]:
            found = found.filter(content__like_folded=pattern)
        rest = patterns[indexed:]
        return found.filter(HoldsAll("content", *rest)) if rest else found


class ParticipantQuerySet(models.QuerySet[Any]):
    def listed_for(self, user: User) -> "ParticipantQuerySet":
        """The conversations of which `user` can see a message. Served by participant_latest."""
        return self.filter(user=user, last_message__isnull=False)

    def with_summary(self, user: User) -> models.QuerySet[Any, dict[str, Any]]:
        """What the conversation list shows, as dicts, in one query.

        The other participant is read off the last message, which always lies between the two.
        """
        from messaging.models import Message

        unread = (
            Message.objects.unread_by(user)
            .filter(conversation_id=OuterRef("conversation_id"))
            .order_by()
            .values("conversation_id")
            .annotate(count=Count("*"))
            .values("count")
        )
        sent = Q(last_message__sender=user)
        return self.annotate(
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
        ).values(
            "conversation_id",
            "other_user_id",
            "other_user_name",
            "other_user_kind",
            "preview",
            "last_message_id",
            "last_message_at",
            "unread_count",
        )


class BlockQuerySet(models.QuerySet[Any]):
    def by(self, user: User) -> "BlockQuerySet":
        """Served by block_once."""
        return self.filter(blocker=user)

    def between(self, one: int, other: int | OuterRef | None) -> "BlockQuerySet":
        """Either's block of the other, by their ids; there is none of a deleted account."""
        return self.filter(Q(blocker=one, blocked=other) | Q(blocker=other, blocked=one))


def known_to(user: User, ids: Iterable[int]) -> UserQuerySet:
    """Those of `ids` who share a conversation with `user`, or whom `user` can write to."""
    from messaging.models import Participant

    own = Participant.objects.filter(user=user).values("conversation")
    # Asked once, from whichever side has fewer conversations, and not once a person.
    sharing = Participant.objects.filter(user__in=ids, conversation__in=own).exclude(user=user).values("user")
    named: UserQuerySet = User.objects.filter(pk__in=ids)
    return named.filter(Q(pk__in=sharing) | Q(pk__in=reachable_by(user).filter(pk__in=ids).values("pk")))


def reachable_by(user: User) -> UserQuerySet:
    """The people `user` can write to: not himself, the disabled, or those of whom one blocks the other."""
    from messaging.models import Block

    blocked = Block.objects.filter(blocker=user, blocked=OuterRef("pk"))
    blocking = Block.objects.filter(blocker=OuterRef("pk"), blocked=user)
    people: UserQuerySet = User.objects.active().exclude(pk=user.pk)
    return people.filter(~models.Exists(blocked), ~models.Exists(blocking))
