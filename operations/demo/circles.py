"""Decides who talks to whom, and in which conversations."""

from dataclasses import dataclass, field
from itertools import accumulate
from random import Random

from messaging.models import default_conversation_id
from operations.demo.chance import seeded
from operations.demo.dialogues import DIALOGUES

#: Pairs per person: on average, somebody talks to twice as many others.
FRIENDS_EACH = 3
#: How much more the two printed logins talk than others.
STAR_WEIGHT = 12.0
#: One pair in nine has a second conversation, about one topic, with an id of its own.
PAIRS_PER_ROOM = 9
ROOM_TOPICS = ["football", "flat-hunt", "code-review", "recipes", "book-club"]


@dataclass(slots=True, eq=False)
class Speaker:
    pk: int
    name: str
    since: float
    #: The end of the demo's time, or of the account.
    until: float
    is_active: bool


@dataclass(slots=True, eq=False)
class Channel:
    conversation_id: str
    one: Speaker
    other: Speaker
    since: float
    until: float
    weight: float
    deck: list[str] = field(default_factory=list)
    #: Dialogues taken from the deck so far.
    turn: int = 0
    #: The time of the last message so far.
    busy_until: float = 0.0
    scenes_left: int = 0

    @property
    def pair(self) -> set[int]:
        return {self.one.pk, self.other.pk}

    @property
    def is_open(self) -> bool:
        return self.one.is_active and self.other.is_active


def make_channels(speakers: list[Speaker], wanted: int, enemies: set[frozenset[int]]) -> list[Channel]:
    """Makes the conversations of about `wanted` pairs, the closest friends first. `enemies` do not talk."""
    chance = seeded("circles", len(speakers))
    everything = [script for scripts in DIALOGUES.values() for script in scripts]
    channels = []
    for rank, (one, other) in enumerate(_befriend(speakers, wanted, enemies, chance)):
        since, until = max(one.since, other.since), min(one.until, other.until)
        if since >= until:
            continue
        # Pairs who met lately have written less.
        weight = (rank + 3) ** -0.7 * (until - since)
        low, high = sorted((one.pk, other.pk))
        default_id = default_conversation_id(low, high)
        deck = chance.sample(everything, len(everything))
        channels.append(Channel(default_id, one, other, since, until, weight, deck))
        if rank % PAIRS_PER_ROOM == 0:
            topic = ROOM_TOPICS[rank // PAIRS_PER_ROOM % len(ROOM_TOPICS)]
            room_id = f"{topic}:{low}-{high}"
            channels.append(Channel(room_id, one, other, since, until, weight / 3, DIALOGUES[topic]))
    return channels


def _befriend(
    speakers: list[Speaker], wanted: int, enemies: set[frozenset[int]], chance: Random
) -> list[tuple[Speaker, Speaker]]:
    popularity = list(accumulate(STAR_WEIGHT if rank < 2 else 1.0 for rank in range(len(speakers))))
    met = set(enemies)
    pairs: list[tuple[Speaker, Speaker]] = []
    candidates = [(speakers[0], speakers[1])]
    # Twice as many tries as needed, since some pairs are drawn twice.
    for attempt in range(wanted * 2):
        [other] = chance.choices(speakers, cum_weights=popularity)
        candidates.append((speakers[attempt % len(speakers)], other))
    for one, other in candidates:
        pair = frozenset((one.pk, other.pk))
        if len(pair) == 2 and pair not in met and len(pairs) < wanted:
            met.add(pair)
            pairs.append((one, other))
    return pairs


def make_nuisances(
    speakers: list[Speaker], wanted: int, channels: list[Channel], enemies: set[frozenset[int]]
) -> list[Channel]:
    # A few people write to many; `one` is the sender.
    chance = seeded("nuisances", len(speakers))
    known = {channel.conversation_id: channel for channel in channels}
    # Never the two printed logins.
    culprits = [speaker for rank, speaker in enumerate(speakers) if rank > 1 and rank % 10 == 7]
    culprits = culprits or speakers[-1:]
    made: dict[str, Channel] = {}
    for _ in range(wanted * 4):
        one, other = chance.choice(culprits), chance.choice(speakers)
        since, until = max(one.since, other.since), min(one.until, other.until)
        conversation_id = default_conversation_id(one.pk, other.pk)
        if one is other or since >= until or frozenset((one.pk, other.pk)) in enemies:
            continue
        if conversation_id not in known and len(made) < wanted:
            made[conversation_id] = Channel(conversation_id, one, other, since, until, 0.0)
    # Where everybody knows everybody, a friend misbehaves.
    return (
        list(made.values())
        or [channel for channel in channels if channel.conversation_id.startswith("conv_")][-1:]
    )
