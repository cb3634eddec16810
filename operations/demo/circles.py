"""Who knows whom, and where they talk."""

from dataclasses import dataclass, field
from itertools import accumulate
from random import Random

from messaging.models import default_conversation_id
from operations.demo.chance import seeded
from operations.demo.dialogues import DIALOGUES

#: How many others somebody talks to, on average twice that.
FRIENDS_EACH = 3
#: How much more the two printed logins do than others.
STAR_WEIGHT = 12.0
#: One pair in so many has a second conversation, about one topic and under an id of its own.
PAIRS_PER_ROOM = 9
ROOM_TOPICS = ["football", "flat-hunt", "code-review", "recipes", "book-club"]


@dataclass(slots=True, eq=False)
class Speaker:
    pk: int
    name: str
    since: float
    #: Before which everything must be said; the end of the story, or of the account.
    until: float
    is_active: bool


@dataclass(slots=True, eq=False)
class Channel:
    """A conversation of two, and when they can have it."""

    conversation_id: str
    one: Speaker
    other: Speaker
    since: float
    until: float
    weight: float
    deck: list[str] = field(default_factory=list)
    #: Dialogues taken from the deck so far.
    turn: int = 0
    #: When the last of what was said so far was said.
    busy_until: float = 0.0
    #: Scenes that are still to come.
    scenes_left: int = 0

    @property
    def pair(self) -> set[int]:
        return {self.one.pk, self.other.pk}

    @property
    def is_open(self) -> bool:
        return self.one.is_active and self.other.is_active


def make_channels(speakers: list[Speaker], wanted: int, enemies: set[frozenset[int]]) -> list[Channel]:
    """Those of about `wanted` pairs of friends, the closest first; `enemies` are no friends."""
    chance = seeded("circles", len(speakers))
    everything = [script for scripts in DIALOGUES.values() for script in scripts]
    channels = []
    for rank, (one, other) in enumerate(_befriend(speakers, wanted, enemies, chance)):
        since, until = max(one.since, other.since), min(one.until, other.until)
        if since >= until:
            continue
        # Who has met only lately has said less.
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
    # Twice the tries that are needed, since some meet twice.
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
    """Where strangers write what nobody asked for: a few write to many; `one` is who does."""
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
    # Where everybody knows everybody it is friends who misbehave.
    return (
        list(made.values())
        or [channel for channel in channels if channel.conversation_id.startswith("conv_")][-1:]
    )
