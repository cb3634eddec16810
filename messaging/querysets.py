from collections.abc import Sequence
from typing import TYPE_CHECKING

from django.db import connection, models
from django.db.models import Count, OuterRef, Q, Value
from django.db.models.functions import Cast

from accounts.models import User
from aimessage.db.compiled import Param
from messaging.lookups import HoldsAll

if TYPE_CHECKING:
    from messaging.models import Block, Message, Participant  # noqa: F401  in QuerySet[…]

#: How many words of a search are looked up in the trigram index.
INDEXED_PATTERNS = 2


def _id_of(user: User | Param) -> Cast:
    # GIN indexes do not compare integers of different sizes, so the id gets the size of the column.
    return Cast(user if isinstance(user, Param) else Value(user.pk), models.BigIntegerField())


class MessageQuerySet(models.QuerySet["Message"]):
    def sent_by(self, user: User | Param) -> "MessageQuerySet":
        # Served by message_sender, searches by message_search.
        return self.filter(sender=_id_of(user))

    def received_by(self, user: User | Param) -> "MessageQuerySet":
        # Served by message_recipient, searches by message_search.
        return self.filter(recipient=_id_of(user), deleted_by_recipient=False)

    def visible_to(self, user: User | Param) -> "MessageQuerySet":
        """Sent or received. For a single message or one conversation; longer lists merge the two branches.

        It is a CASE because PostgreSQL would take a condition on indexed columns for rarely true, and would
        read and sort the whole conversation (migration 0004).
        """
        seen = Q(sender=user) | Q(recipient=user, deleted_by_recipient=False)
        return self.filter(models.Case(models.When(seen, then=Value(True)), default=Value(False)))

    def unread_by(self, user: User | Param) -> "MessageQuerySet":
        # Served by message_unread.
        return self.received_by(user).filter(is_read=False)

    def count_unread_by(self, user: User | Param) -> "models.QuerySet[Message, tuple[int]]":
        """One row with the count, or no row for zero. Served by message_unread alone, without the table."""
        mine = self.unread_by(user).order_by().values("recipient")
        return mine.annotate(count=Count("*")).values_list("count")

    def between(self, user: User | Param, other_id: int) -> "MessageQuerySet":
        return self.filter(Q(sender=user, recipient=other_id) | Q(sender=other_id, recipient=user))

    def matching(self, patterns: Sequence[str]) -> "MessageQuerySet":
        # Each condition that the index serves folds the text again, so only the first patterns use it.
        indexed = INDEXED_PATTERNS if connection.vendor == "postgresql" else 0
        found = self
        for pattern in patterns[:indexed]:
            found = found.filter(content__like_folded=pattern)
        rest = patterns[indexed:]
        return found.filter(HoldsAll("content", *rest)) if rest else found


class ParticipantQuerySet(models.QuerySet["Participant"]):
    def listed_for(self, user: User | Param) -> "ParticipantQuerySet":
        # Conversations with a message that `user` can see. Served by participant_latest.
        return self.filter(user=user, last_message__isnull=False)


class BlockQuerySet(models.QuerySet["Block"]):
    def by(self, user: User | Param) -> "BlockQuerySet":
        # Served by block_once.
        return self.filter(blocker=user)

    def between(self, one: int | Param, other: int | OuterRef | None) -> "BlockQuerySet":
        # None, which stands for a deleted account, matches nothing.
        return self.filter(Q(blocker=one, blocked=other) | Q(blocker=other, blocked=one))
