"""A database of the former backend as years leave it, in any size, and what must become of it."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any

from operations.legacy_import.conversations import clean_id, is_pair_id, split_ids
from operations.legacy_import.tests.old_backend import HASH, OldBackend

START = datetime(2024, 1, 1, 8, 0, 0, 123456)
WORDS = ("lunch", "train", "soup", "keys", "garden", "later", "maybe", "tonight", "thanks", "rain")
#: One in so many.
DELETED, ODD = 50, 1000
SECONDS_BETWEEN = 20


def fill(old: OldBackend, *, users: int, messages: int) -> None:
    chance = Random(f"{users} {messages}")
    # The last are deleted, and so is one of fifty.
    living = [pk for pk in range(1, users + 1) if pk % DELETED and pk <= users - 3]
    stamp = f"{START:%Y-%m-%d %H:%M:%S.%f}"
    old.add_many(
        "users",
        [
            "id",
            "username",
            "email",
            "hashed_password",
            "is_active",
            "is_superuser",
            "created_at",
            "updated_at",
        ],
        (
            (pk, f"User.{pk}", f"user{pk}@Example.org", HASH, pk % 97 != 0, pk == 1, stamp, stamp)
            for pk in living
        ),
    )
    old.add_many("roles", ["id", "name"], [(1, "admin"), (2, "moderator"), (7, "vip")])
    old.add_many(
        "user_roles",
        ["id", "user_id", "role_id"],
        ((pk, living[pk], (1, 2, 7)[pk % 3]) for pk in range(1, users // 20)),
    )
    old.add_many(
        "messages",
        [
            "id",
            "sender_id",
            "recipient_id",
            "content",
            "is_read",
            "parent_id",
            "conversation_id",
            "created_at",
            "updated_at",
        ],
        _messages(chance, users, messages),
    )
    old.add_many(
        "reports",
        ["id", "reporter_id", "title", "content", "status", "resolved_at", "created_at", "updated_at"],
        (
            (
                pk,
                chance.choice(living),
                f"Report {pk}",
                "Please look.",
                ("open", "in_progress", "resolved")[pk % 3],
                stamp if pk % 3 == 2 and pk % 10 else None,
                stamp,
                stamp,
            )
            for pk in range(1, users // 10)
        ),
    )
    old.commit()


def _messages(chance: Random, users: int, size: int) -> Iterator[tuple[Any, ...]]:
    for pk in range(1, size + 1):
        # A few talk a lot.
        sender = 1 + int(users * chance.random() ** 2)
        recipient = 1 + (sender + chance.randrange(12)) % users if chance.randrange(ODD) else sender
        at = START + timedelta(seconds=pk * SECONDS_BETWEEN)
        edited = at + timedelta(minutes=chance.randrange(3), microseconds=9)
        parent = pk - chance.randrange(1, 60) if pk > 60 and not chance.randrange(5) else None
        yield (
            pk + 2 * (pk > size // 2),  # a gap
            sender,
            recipient,
            " ".join(chance.choices(WORDS, k=chance.randrange(1, 20))),
            chance.randrange(5) > 0,
            parent if chance.randrange(ODD) else size * 2,
            _conversation(chance, sender, recipient),
            f"{at:%Y-%m-%d %H:%M:%S.%f}" if chance.randrange(ODD) else None,
            f"{edited:%Y-%m-%d %H:%M:%S.%f}",
        )


def _conversation(chance: Random, sender: int, recipient: int) -> str | None:
    low, high = sorted((sender, recipient))
    kind = chance.random()
    if kind < 0.55:
        return None
    if kind < 0.85:
        return f"conv_{low}_{high}"
    if kind < 0.95:
        return f"topic.{low}.{high}.{chance.randrange(3)}"
    if kind < 0.98:
        return f"group-{sender // 40}"
    if kind < 0.99:
        return f"Über uns / {low} & {high}"
    return chance.choice(["", f"conv_{high}_{low}", "conv_1_2", "x" * 100])


@dataclass
class Expected:
    """What must come of a `fill`, found without batches and SQL, in as much memory as it takes."""

    messages: dict[int, tuple[Any, ...]] = field(default_factory=dict)
    members: dict[str, set[int | None]] = field(default_factory=dict)
    #: By conversation and member.
    last: dict[tuple[str, int], int] = field(default_factory=dict)
    refused: Counter[str] = field(default_factory=Counter)


def expect(old: OldBackend) -> Expected:
    expected = Expected()
    accounts = {pk for (pk,) in old.execute("SELECT id FROM users")}
    owners: dict[str, tuple[int, int]] = {}
    query = (
        "SELECT id, sender_id, recipient_id, content, is_read, parent_id, conversation_id, created_at,"
        " updated_at FROM messages ORDER BY id"
    )
    for pk, sender, recipient, content, is_read, parent, named, created, updated in old.execute(query):
        if sender == recipient or not {sender, recipient} & accounts:
            expected.refused["messages"] += 1
            continue
        pair = (min(sender, recipient), max(sender, recipient))
        conversation = f"conv_{pair[0]}_{pair[1]}"
        name = clean_id(named)
        if name and not is_pair_id(name):
            free = (one for one in [name, *split_ids(name, pair)] if owners.setdefault(one, pair) == pair)
            conversation = next(free)
        before = expected.messages.get(parent)
        seen_by = [one if one in accounts else None for one in (sender, recipient)]
        made, edited = _time(created) or _time(updated), _time(updated)
        expected.messages[pk] = (
            *seen_by,
            conversation,
            content,
            bool(is_read),
            parent if before and before[2] == conversation else None,
            made,
            made if edited - made < timedelta(seconds=1) else edited,
        )
        expected.members[conversation] = {one if one in accounts else None for one in pair}
        for one in seen_by:
            if one:
                expected.last[conversation, one] = pk
    return expected


def _time(value: Any) -> Any:
    return datetime.fromisoformat(value) if isinstance(value, str) else value
