"""Plays dialogues at random times, and yields their messages as drafts in order of time."""

import heapq
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import accumulate, count
from random import Random

from operations.demo.chance import HOUR, Clock, seeded
from operations.demo.circles import Channel, Speaker
from operations.demo.complaints import OFFENCES, REBUFFS
from operations.demo.dialogues import BLANKS

#: The average number of messages in a scene, at least.
SCENE_LENGTH = 4
#: One scene in 60 holds unwanted messages, and one in 100 is from the last hours.
SCENES_PER_NUISANCE = 60
SCENES_PER_RECENT = 100
RECENT = 3 * HOUR
#: Seconds between two scenes of one conversation, at least.
PAUSE = 600.0
#: The age from which every message has been read.
ALL_READ_AFTER = 72 * HOUR

_LINE = re.compile(r"(?P<who>[ab])(>(?P<answers>\d+))?: (?P<text>.+)")


@dataclass(slots=True, eq=False)
class Draft:
    at: float
    channel: Channel
    sender: Speaker
    recipient: Speaker
    content: str
    answers: "Draft | None" = None
    #: Seconds until it was edited.
    edited_after: float | None = None
    is_read: bool = True
    is_deleted: bool = False
    #: The message's id once it is saved.
    pk: int = 0


@dataclass(slots=True, eq=False)
class Scene:
    """A dialogue in a conversation, from `start` on."""

    start: float
    channel: Channel
    lines: tuple[tuple[str, int, str], ...]
    seed: int
    is_nuisance: bool = False


@cache
def read_script(script: str) -> tuple[tuple[str, int, str], ...]:
    """For each line: who says it, the number of the line that it answers or 0, and the text."""
    lines = []
    for line in script.splitlines():
        match = _LINE.fullmatch(line)
        if match is None:
            raise ValueError(f"No line of a dialogue: {line!r}")
        lines.append((match["who"], int(match["answers"] or 0), match["text"]))
    return tuple(lines)


def write_script(
    channels: list[Channel], nuisances: list[Channel], clock: Clock, size: int
) -> Iterator[Draft]:
    """Yields `size` messages, oldest first, no two at the same time."""
    scenes = _plan(channels, nuisances, clock, size)
    for scene in scenes:
        scene.channel.scenes_left += 1
    last = 0.0
    for draft in _in_order(scenes):
        # Databases keep microseconds.
        draft.at = last = max(draft.at, last + 2e-6)
        yield draft


def _in_order(scenes: list[Scene]) -> Iterator[Draft]:
    # The heap holds only the messages of scenes that overlap.
    waiting: list[tuple[float, int, Draft]] = []
    ties = count()
    for scene in scenes:
        while waiting and waiting[0][0] < scene.start:
            yield heapq.heappop(waiting)[-1]
        for draft in _play(scene):
            heapq.heappush(waiting, (draft.at, next(ties), draft))
    while waiting:
        yield heapq.heappop(waiting)[-1]


def _plan(channels: list[Channel], nuisances: list[Channel], clock: Clock, size: int) -> list[Scene]:
    chance = seeded("script", size)
    open_channels = [channel for channel in channels if channel.is_open] or channels
    weights = list(accumulate(channel.weight for channel in channels))
    scenes: list[Scene] = []
    recent = 1 + size // SCENE_LENGTH // SCENES_PER_RECENT
    total = 0
    for channel in nuisances:
        if total < size // 2:
            scenes.append(_nuisance(channel, clock, chance, most=size - total))
            total += len(scenes[-1].lines)
    while total < size:
        if recent:
            recent -= 1
            channel = chance.choice(open_channels)
            start = max(channel.since, clock.end - RECENT * chance.uniform(0.05, 1))
        else:
            [channel] = chance.choices(channels, cum_weights=weights)
            start = clock.draw(chance, channel.since, channel.until)
        lines = read_script(channel.deck[channel.turn % len(channel.deck)])[: size - total]
        channel.turn += 1
        scenes.append(Scene(start, channel, lines, chance.getrandbits(32)))
        total += len(lines)
    scenes.sort(key=lambda scene: scene.start)
    return scenes


def _nuisance(channel: Channel, clock: Clock, chance: Random, *, most: int) -> Scene:
    offence = chance.choice(OFFENCES)
    lines = [("a", 0, text) for text in chance.sample(offence.texts, chance.choice([1, 1, 1, 2]))]
    if chance.random() < 0.4:
        lines.append(("b", 1, chance.choice(REBUFFS)))
    start = clock.draw(chance, channel.since, channel.until)
    return Scene(start, channel, tuple(lines[:most]), chance.getrandbits(32), is_nuisance=True)


def _play(scene: Scene) -> list[Draft]:
    chance = seeded(scene.seed)
    channel = scene.channel
    channel.scenes_left -= 1
    one, other = channel.one, channel.other
    if not scene.is_nuisance and chance.random() < 0.5:
        one, other = other, one
    blanks = {name: chance.choice(choices) for name, choices in BLANKS.items()}
    drafts: list[Draft] = []
    for at, (who, answers, text) in zip(_times(scene, chance), scene.lines, strict=True):
        sender, recipient = (one, other) if who == "a" else (other, one)
        content = text if scene.is_nuisance else text.format(a=one.name, b=other.name, **blanks)
        draft = Draft(at, channel, sender, recipient, content)
        draft.answers = drafts[answers - 1] if answers else None
        drafts.append(draft)
    channel.busy_until = drafts[-1].at
    _leave_last_unread(drafts, channel, chance)
    _delete_and_edit(drafts, channel, chance, is_nuisance=scene.is_nuisance)
    return drafts


def _times(scene: Scene, chance: Random) -> list[float]:
    """The time of each line: minutes apart, sometimes hours, but all before the conversation must end."""
    channel = scene.channel
    start = scene.start
    # This scene and those to come share the time that is left.
    shares = channel.scenes_left + 1
    if start < channel.busy_until:
        start = channel.busy_until + min(PAUSE, (channel.until - channel.busy_until) * 0.1 / shares)
    gaps = [0.0]
    for _, _, text in scene.lines[1:]:
        pause = chance.uniform(0.3, 3) * HOUR if chance.random() < 0.08 else chance.expovariate(1 / 75)
        gaps.append(6 + len(text) * 0.2 + pause)
    room = (channel.until - start) * 0.9 / shares
    shrink = min(1.0, room / sum(gaps)) if sum(gaps) else 1.0
    times, at = [], start
    for gap in gaps:
        at += gap * shrink
        times.append(at)
    return times


def _leave_last_unread(drafts: list[Draft], channel: Channel, chance: Random) -> None:
    if channel.scenes_left or channel.until - drafts[-1].at > ALL_READ_AFTER or chance.random() < 0.4:
        return
    for draft in reversed(drafts):
        if draft.sender is not drafts[-1].sender:
            return
        draft.is_read = False


def _delete_and_edit(drafts: list[Draft], channel: Channel, chance: Random, *, is_nuisance: bool) -> None:
    for draft in drafts:
        draw = chance.random()
        if draft.is_read and draw < (0.15 if is_nuisance else 0.015):
            draft.is_deleted = True
        elif not is_nuisance and draw > 0.97:
            draft.edited_after = min(chance.uniform(15, 400), (channel.until - draft.at) * 0.9)
