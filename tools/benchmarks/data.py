"""The benchmark's rows, as lines for PostgreSQL's COPY. The same shape gives the same rows in every run.

Only the end of the history moves with the calendar, so that "this week" in the admin is not empty.

A page of a list means the same work at every size: people, reports, unread messages, and the conversations
of the hot and the ordinary user are as many. Only the number of messages grows; a fifth of them are the hot
user's.
"""

import hashlib
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random

import bcrypt

from tools.benchmarks.texts import make_texts
from tools.benchmarks.times import DAYS, clock, write_time

HOT, ORDINARY, ADMIN, ONE, OTHER = 1, 2, 3, 4, 5
#: The id of the first person without a role in the cases.
FIRST = 6

PASSWORD = "correct-horse-battery-staple"  # noqa: S105  of every account of the benchmark
#: Cost 12, as Django's hasher has: with another cost, the first login would hash the password again.
_SALT = b"$2b$12$TheSameForEveryAccounu"

NULL = "\\N"

USER_COLUMNS = [
    *["id", "password", "is_superuser", "is_staff", "is_active", "username", "username_key", "email"],
    *["email_key", "full_name", "name_words", "bio", "phone_number", "created_at", "updated_at"],
]
MESSAGE_COLUMNS = [
    *["id", "sender_id", "recipient_id", "conversation_id", "content", "is_read", "parent_id"],
    *["deleted_by_recipient", "created_at", "updated_at"],
]
REPORT_COLUMNS = [
    *["reporter_id", "title", "content", "status", "assigned_to_id", "comment", "resolved_at"],
    *["resolved_by_id", "message_id", "message_content", "message_sender_id", "created_at", "updated_at"],
]


@dataclass(frozen=True)
class Shape:
    #: The SIZE of `make bench`.
    messages: int
    users: int = 10_000
    reports: int = 50_000
    hot_conversations: int = 2_000
    ordinary_conversations: int = 20
    ordinary_messages: int = 200
    #: Reports by the ordinary user: a page and a half.
    own_reports: int = 150
    #: Different messages.
    texts: int = 65_536
    seed: int = 20_260_101
    ends: datetime = field(
        default_factory=lambda: datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    )

    def __post_init__(self) -> None:
        if self.messages < 5 * self.hot_conversations or self.messages < 5 * self.ordinary_messages:
            raise ValueError("too few messages for that many conversations")
        if self.users < FIRST + self.hot_conversations + self.ordinary_conversations:
            raise ValueError("too few users for that many conversations")

    @property
    def long_messages(self) -> int:
        # Between ONE and OTHER: more than a page at every size.
        return max(150, self.messages // 100)


@dataclass(frozen=True)
class Table:
    name: str
    columns: list[str]
    rows: Iterable[str]
    count: int


@dataclass(frozen=True)
class Conversation:
    low: int
    high: int
    #: How many of its last messages are unread, all of them received by `reader`.
    unread: int
    reader: int

    @property
    def id(self) -> str:
        return f"conv_{self.low}_{self.high}"


def session_token(user_id: int) -> str:
    return hashlib.sha256(f"benchmark session of user {user_id}".encode()).hexdigest()


def password_hash() -> str:
    digest = hashlib.sha256(PASSWORD.encode()).hexdigest().encode()
    return "bcrypt_sha256$" + bcrypt.hashpw(digest, _SALT).decode()


def username(user_id: int) -> str:
    special = {HOT: "hot", ORDINARY: "ordinary", ADMIN: "admin", ONE: "one", OTHER: "other"}
    if user_id in special:
        return special[user_id]
    given, family = _name(user_id)
    return f"{given}.{family}{user_id}".lower()


def _name(user_id: int) -> tuple[str, str]:
    given = ["Mara", "Jonas", "Tunde", "Amara", "Sofia", "Tomas", "Priya", "Arjun", "Emeka", "Lena", "Felix"]
    family = ["Lindner", "Okafor", "Vega", "Sharma", "Vogel", "Patel", "Rios", "Obi", "Brandt", "Nair"]
    return given[user_id % len(given)], family[user_id // len(given) % len(family)]


class History:
    """All rows of one shape. `tables` yields the tables in the order in which they must be loaded."""

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        self.time_at = clock(shape.ends)
        self.conversations = list(self._conversations())
        self.last_message = array("Q", bytes(8 * len(self.conversations)))
        #: message id → (recipient, sender, content, time), of messages that are reported
        self.reported: dict[int, tuple[int, int, str, str]] = {}

    def tables(self) -> Iterator[Table]:
        shape = self.shape
        yield users_table(1, shape.users, shape.ends)
        yield self._sessions()
        yield Table(
            "messaging_conversation",
            ["id", "created_at"],
            (f"{talk.id}\t{self.time_at(0)}" for talk in self.conversations),
            len(self.conversations),
        )
        yield Table("messaging_message", MESSAGE_COLUMNS, self._messages(), shape.messages)
        yield Table(
            "messaging_participant",
            ["conversation_id", "user_id", "last_message_id"],
            self._participants(),
            2 * len(self.conversations),
        )
        yield Table("reports_report", REPORT_COLUMNS, self._reports(), shape.reports)

    def _conversations(self) -> Iterator[Conversation]:
        shape = self.shape
        for number in range(shape.hot_conversations):
            yield Conversation(HOT, FIRST + number, 1 if number % 5 == 0 else 0, HOT)
        first = FIRST + shape.hot_conversations
        for number in range(shape.ordinary_conversations):
            yield Conversation(ORDINARY, first + number, 3 if number % 2 == 0 else 0, ORDINARY)
        yield Conversation(ONE, OTHER, 5, ONE)
        rest = shape.messages * 4 // 5 - shape.ordinary_messages - shape.long_messages
        people = shape.users - FIRST + 1
        for number in range(max(1, min(shape.users * 5, rest // 10))):
            one, step = number % people, 1 + number // people
            low, high = sorted((FIRST + one, FIRST + (one + step) % people))
            yield Conversation(low, high, 2 if number % 3 == 0 else 0, high)

    def _sessions(self) -> Table:
        shape = self.shape
        now = datetime.now(UTC)
        opened, ends = write_time(now), write_time(now + timedelta(days=7))
        rows = (
            f"{user}\t{session_token(user)}\tBenchmark\t127.0.0.1\t1\t{opened}\t{ends}\t{opened}\t{opened}"
            for user in range(1, shape.users + 1)
        )
        columns = ["user_id", "session_token", "device_info", "ip_address", "is_active"]
        columns += ["last_used_at", "expires_at", "created_at", "updated_at"]
        return Table("accounts_session", columns, rows, shape.users)

    def _places(self, rng: Random) -> "array[int]":
        """For each message, the index of its conversation."""
        shape = self.shape
        hot, quiet = shape.hot_conversations, shape.ordinary_conversations
        long, first = hot + quiet, hot + quiet + 1
        others = len(self.conversations) - first
        places = array("I", bytes(4 * shape.messages))
        own = rng.sample(range(shape.messages * 4 // 5), shape.ordinary_messages + shape.long_messages)
        # Every fifth is the hot user's; the n-th of the rest stands at n // 4 * 5 + n % 4 + 1.
        kept = {
            n // 4 * 5 + n % 4 + 1: hot + k % quiet if k < shape.ordinary_messages else long
            for k, n in enumerate(own)
        }
        # First every conversation once, in random order, then some more often than others.
        hot_order, order = list(range(hot)), list(range(others))
        rng.shuffle(hot_order)
        rng.shuffle(order)
        random = rng.random
        for index in range(shape.messages):
            if index % 5 == 0:
                places[index] = hot_order.pop() if hot_order else int(hot * random() ** 1.5)
            elif index in kept:
                places[index] = kept[index]
            else:
                places[index] = first + (order.pop() if order else int(others * random() ** 1.2))
        return places

    def _messages(self) -> Iterator[str]:
        shape, time_at = self.shape, self.time_at
        rng = Random(shape.seed)  # noqa: S311  the same rows every time
        random, last = rng.random, self.last_message
        texts = make_texts(rng, shape.texts)
        places = self._places(rng)
        complaints = shape.reports * 3 // 5
        wanted = set(rng.sample(range(1, shape.messages + 1), min(complaints, shape.messages // 3)))
        left = array("I", bytes(4 * len(self.conversations)))
        for place, count in Counter(places).items():
            left[place] = count
        size = len(texts)
        for number, place in enumerate(places, 1):
            talk = self.conversations[place]
            left[place] -= 1
            fresh = left[place] < talk.unread
            chance = random()
            to = talk.low if chance < 0.5 else talk.high
            if fresh:
                to = talk.reader
            by = talk.low + talk.high - to
            luck = int(chance * 1000)
            parent = last[place] if luck % 20 == 0 and last[place] else NULL
            # Never one of the last messages, so that both participants have the same last message.
            gone = 1 if luck % 300 == 7 and left[place] > 5 else 0
            text = texts[int(random() * size)]
            time = time_at((number - 1) / shape.messages)
            last[place] = number
            if number in wanted:
                self.reported[number] = (to, by, text, time)
            read = 0 if fresh else 1
            yield f"{number}\t{by}\t{to}\t{talk.id}\t{text}\t{read}\t{parent}\t{gone}\t{time}\t{time}"

    def _participants(self) -> Iterator[str]:
        for place, talk in enumerate(self.conversations):
            for user in (talk.low, talk.high):
                yield f"{talk.id}\t{user}\t{self.last_message[place]}"

    def _reports(self) -> Iterator[str]:
        shape = self.shape
        rng = Random(shape.seed + 1)  # noqa: S311  the same rows every time
        texts = make_texts(rng, 2_048)
        causes = iter(sorted(self.reported.items()))
        own = {round((n + 0.5) * shape.reports / shape.own_reports) for n in range(shape.own_reports)}
        for number in range(shape.reports):
            share = number / shape.reports
            time = self.time_at(share)
            cause = None if number in own or number % 5 > 2 else next(causes, None)
            message, reporter, accused, quote = NULL, str(ORDINARY), NULL, NULL
            if cause is not None:
                message, reporter, accused, quote = str(cause[0]), *map(str, cause[1][:3])
            elif number not in own:
                reporter = str(FIRST + rng.randrange(shape.users - FIRST + 1))
            chance = rng.random()
            done, status = share < 0.97 and chance < 0.97, "open"
            if done:
                status = "resolved"
            elif chance > 0.7:
                status = "in_progress"
            comment = "Thank you, we have seen to it." if done else NULL
            resolved_at = self.time_at(min(share + 0.002, 0.999999)) if done else NULL
            admin = str(ADMIN) if status != "open" else NULL
            title, content = texts[rng.randrange(2_048)][:60], texts[rng.randrange(2_048)]
            cells = [reporter, title, content, status, admin, comment, resolved_at]
            cells += [admin if done else NULL, message, quote, accused, time, resolved_at if done else time]
            yield "\t".join(cells)


def users_table(first: int, last: int, ends: datetime) -> Table:
    created, secret = write_time(ends - timedelta(days=DAYS)), password_hash()

    def rows() -> Iterator[str]:
        for user in range(first, last + 1):
            name, (given, family) = username(user), _name(user)
            staff = 1 if user == ADMIN else 0
            mail, words = f"{name}@bench.example", f" {given} {family}".lower()
            bio = "Bakes, reads, runs." if user % 3 == 0 else NULL
            phone = f"+4930{user:08}" if user % 2 else NULL
            yield (
                f"{user}\t{secret}\t{staff}\t{staff}\t1\t{name}\t{name}\t{mail}\t{mail}"
                f"\t{given} {family}\t{words}\t{bio}\t{phone}\t{created}\t{created}"
            )

    return Table("accounts_user", USER_COLUMNS, rows(), last - first + 1)
