"""Decides in which conversation each imported message goes.

In the former backend, conversation ids were free text, which any number of users could share. Here a
conversation belongs to exactly two users.
"""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import OuterRef, Q, QuerySet, Subquery

from messaging.models import (
    CONVERSATION_ID_MAX_LENGTH,
    CONVERSATION_ID_PATTERN,
    Conversation,
    Message,
    Participant,
    default_conversation_id,
)
from messaging.services.messages import PAIR_ID
from operations.legacy_import.cells import read_text
from operations.legacy_import.models import Thread
from operations.legacy_import.writing import chunks

#: Hex digits of the SHA-256 of an id that could not be kept.
DIGEST_LENGTH = 16
_FORBIDDEN = re.compile(r"[^A-Za-z0-9_.:@+-]")

#: The ids of two accounts, the lower first; either account may be deleted.
Pair = tuple[int, int]


def clean_id(raw: object) -> str:
    """A valid conversation id for `raw`, empty if that is blank.

    A valid id stays. Otherwise forbidden characters are replaced, and a digest makes the id unique.
    """
    text = read_text(raw)
    if not text.strip() or CONVERSATION_ID_PATTERN.fullmatch(text):
        return text.strip()
    digest = hashlib.sha256(text.encode()).hexdigest()[:DIGEST_LENGTH]
    return f"{_FORBIDDEN.sub('-', text)[:60]}.{digest}"


def is_pair_id(conversation_id: str) -> bool:
    # `conv_1_2` is reserved for users 1 and 2.
    return PAIR_ID.fullmatch(conversation_id) is not None


def split_ids(conversation_id: str, pair: Pair) -> list[str]:
    """Ids to try, in order, for messages of `pair` whose conversation id belongs to another pair."""
    low, high = pair
    digest = hashlib.sha256(f"{conversation_id} {low} {high}".encode()).hexdigest()
    readable = f"{conversation_id}:{low}_{high}"
    short = f"{conversation_id[:60]}:{digest[:DIGEST_LENGTH]}"
    return [readable, short] if len(readable) <= CONVERSATION_ID_MAX_LENGTH else [short]


@dataclass(frozen=True)
class Wish:
    """The conversation that a message asks for."""

    #: Cleaned by `clean_id`.
    conversation_id: str
    pair: Pair

    @property
    def is_pair(self) -> bool:
        return not self.conversation_id or is_pair_id(self.conversation_id)

    @property
    def candidates(self) -> list[str]:
        if self.is_pair:
            return [default_conversation_id(*self.pair)]
        return [self.conversation_id, *split_ids(self.conversation_id, self.pair)]


class Allotment:
    """Maps each wish of one batch to a conversation id.

    An id belongs to the pair that used it first. Other pairs that used it get a derived id (`split_ids`).
    A wish for `conv_1_2` gets the default conversation of its own pair.
    """

    def __init__(self, wishes: Iterable[Wish], *, using: str) -> None:
        self.new_threads: list[Thread] = []
        unique = list(dict.fromkeys(wishes))
        free = [wish for wish in unique if not wish.is_pair]
        self._owners = _find_owners({name for wish in free for name in wish.candidates}, using=using)
        self._given = {wish: self._allot(wish) for wish in unique}

    def _allot(self, wish: Wish) -> str:
        if wish.is_pair:
            return wish.candidates[0]
        for name in wish.candidates:
            owner = self._owners.get(name)
            if owner is None:
                self._owners[name] = wish.pair
                low, high = wish.pair
                self.new_threads.append(Thread(conversation_id=name, low=low, high=high))
                return name
            if owner == wish.pair:
                return name
        return default_conversation_id(*wish.pair)

    def __getitem__(self, wish: Wish) -> str:
        return self._given[wish]


def _find_owners(names: set[str], *, using: str) -> dict[str, Pair]:
    # (0, 0) for conversations that did not come with the import: no pair of theirs may join them.
    owners: dict[str, Pair] = {}
    for some in chunks(names):
        here = Conversation.objects.using(using).filter(pk__in=some)
        owners |= dict.fromkeys(here.values_list("pk", flat=True), (0, 0))
        threads = Thread.objects.using(using).filter(pk__in=some)
        for name, low, high in threads.values_list("conversation_id", "low", "high"):
            owners[name] = (low, high)
    return owners


def settle_participants(participants: QuerySet[Participant]) -> int:
    """Points each participant at the newest message that they can see."""
    seen = Q(sender=OuterRef("user")) | Q(recipient=OuterRef("user"), deleted_by_recipient=False)
    newest = (
        Message.objects.using(participants.db)
        .filter(seen, conversation=OuterRef("conversation"))
        .order_by("-conversation_id", "-pk")
    )
    return participants.filter(user__isnull=False).update(last_message=Subquery(newest.values("pk")[:1]))
