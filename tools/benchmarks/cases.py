"""The cases of the benchmark. Each compares several contenders with each other."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tools.benchmarks import targets
from tools.benchmarks.data import HOT, ONE, ORDINARY, PASSWORD, Shape, session_token, username
from tools.benchmarks.load import Request
from tools.benchmarks.texts import ABSENT, MARKERS

Rows = Callable[[str], list[tuple[object, ...]]]

PRODUCT, PEER, BARE, DJANGO = "product", "peer", "bare", "django"
#: How many messages PUT read marks, and how many pairs of people write, in turn.
READ_POOL, SEND_POOL = 10_000, 2_000
SENDERS = 50


@dataclass(frozen=True)
class Contender:
    label: str
    server: str
    requests: list[Request]
    #: SQL that undoes what a run changes; executed before each run.
    reset: str = ""


@dataclass(frozen=True)
class Case:
    name: str
    title: str
    contenders: list[Contender]
    #: By default, as the options say; `seconds` likewise.
    connections: tuple[int, ...] | None = None
    seconds: int | None = None
    #: Seconds of a first run that does not count, to fill caches and prepare statements.
    warm_up: int = 1


@dataclass(frozen=True)
class Facts:
    """What requests are made of: tokens, and ids from the database."""

    shape: Shape
    tokens: dict[int, str]
    rows: Rows

    def one(self, statement: str) -> int:
        return int(str(self.rows(statement)[0][0]))


def get(facts: Facts, user: int, path: str) -> list[Request]:
    return [Request(path, headers=_bearer(facts, user))]


def _bearer(facts: Facts, user: int) -> dict[str, str]:
    return {"Authorization": f"Bearer {facts.tokens[user]}"}


def _sql(user: int, path: str, *, method: str = "GET", body: str = "") -> Request:
    headers = {"X-User": str(user), "X-Session": session_token(user)}
    return Request(f"/sql/{path}", method, headers, body)


SELECT = Contender(targets.SELECT, DJANGO, [Request("/select")])


def three(facts: Facts, user: int, path: str, sql: str, suffix: str = "") -> list[Contender]:
    requests = get(facts, user, path)
    return [
        Contender(f"product{suffix}", PRODUCT, requests),
        Contender(f"peer{suffix}", PEER, requests),
        Contender(f"SQL{suffix}", BARE, [_sql(user, sql)]),
    ]


def floors(facts: Facts) -> Case:
    return Case(
        "floors",
        "What the floors themselves do",
        [
            Contender("bare WSGI", BARE, [Request("/hello")]),
            Contender("Django, constant", DJANGO, [Request("/constant")]),
            SELECT,
            Contender("product", PRODUCT, get(facts, ORDINARY, "/auth/me")),
            Contender("pgbench -S", "pgbench", []),
        ],
    )


def me(facts: Facts) -> Case:
    return Case("me", "GET /auth/me", [*three(facts, ORDINARY, "/auth/me", "me"), SELECT])


def message(facts: Facts) -> Case:
    newest = facts.one(f"SELECT max(id) FROM messaging_message WHERE recipient_id = {ORDINARY}")
    contenders = three(facts, ORDINARY, f"/messages/{newest}", f"message?id={newest}")
    return Case("message", "GET /messages/{id}", [*contenders, SELECT])


def unread(facts: Facts) -> Case:
    path = "/messages/unread/count"
    contenders = three(facts, ORDINARY, path, "unread")
    contenders.append(Contender("product, hot", PRODUCT, get(facts, HOT, path)))
    return Case("unread", "GET /messages/unread/count", [*contenders, SELECT])


def depths(facts: Facts) -> list[Contender]:
    # Pages in the middle and near the end of the history.
    half, deep = facts.shape.messages // 2, facts.shape.messages // 10
    return [
        Contender("product, hot, half way", PRODUCT, get(facts, HOT, f"/messages?before={half}")),
        Contender("product, hot, deep", PRODUCT, get(facts, HOT, f"/messages?before={deep}")),
    ]


def messages(facts: Facts) -> Case:
    contenders = three(facts, ORDINARY, "/messages", "messages")
    contenders += three(facts, HOT, "/messages", "messages", ", hot")
    return Case("messages", "GET /messages, 100 rows", [*contenders, *depths(facts), SELECT])


def conversations(facts: Facts) -> Case:
    path = "/auth/conversations"
    contenders = three(facts, ORDINARY, path, "conversations?limit=101")
    contenders += three(facts, HOT, f"{path}?limit=50", "conversations?limit=51", ", hot, 50 of 2,000")
    return Case("conversations", "GET /auth/conversations", [*contenders, SELECT])


def conversation(facts: Facts) -> Case:
    name = f"conv_{ONE}_{ONE + 1}"
    path = f"/auth/conversations/{name}/messages"
    contenders = three(facts, ONE, path, f"conversation?conversation={name}")
    return Case("conversation", "GET conversation messages, 100 rows", [*contenders, SELECT])


def reports(facts: Facts) -> Case:
    return Case("reports", "GET /reports, 100 rows", [*three(facts, ORDINARY, "/reports", "reports"), SELECT])


def pairs(facts: Facts, count: int) -> list[tuple[int, int]]:
    # One pair for each of `count` conversations.
    found = facts.rows(
        "SELECT min(user_id), max(user_id) FROM messaging_participant GROUP BY conversation_id"
        f" HAVING min(user_id) > {ONE + 1} ORDER BY min(user_id), max(user_id) LIMIT {count}"
    )
    return [(int(str(low)), int(str(high))) for low, high in found]


def _text(recipient: int) -> str:
    return json.dumps({"recipient_id": recipient, "content": "Shall we meet at noon, or later? {n}"})


def posts(facts: Facts, couples: list[tuple[int, int]]) -> list[Request]:
    json_headers = {"Content-Type": "application/json"}
    return [
        Request("/messages", "POST", json_headers | _bearer(facts, sender), _text(recipient))
        for sender, recipient in couples
    ]


def send(facts: Facts) -> Case:
    couples = pairs(facts, SEND_POOL)
    requests = posts(facts, couples)
    plain = [_sql(low, "send", method="POST", body=_text(high)) for low, high in couples]
    return Case(
        "send",
        "POST /messages",
        [
            Contender("product", PRODUCT, requests),
            Contender("peer", PEER, requests),
            Contender("SQL", BARE, plain),
        ],
    )


def read(facts: Facts) -> Case:
    # Each request should find its message unread, so there must be enough for one run.
    count = min(READ_POOL, facts.shape.messages // 4)
    found = facts.rows(
        f"SELECT id, recipient_id FROM messaging_message WHERE sender_id > {ONE + 1}"
        f" AND recipient_id > {ONE + 1} AND NOT deleted_by_recipient ORDER BY id LIMIT {count}"
    )
    marked = [(int(str(message)), int(str(user))) for message, user in found]
    requests = [Request(f"/messages/{pk}/read", "PUT", _bearer(facts, user)) for pk, user in marked]
    plain = [_sql(user, f"read?id={pk}", method="PUT") for pk, user in marked]
    last = marked[-1][0]
    reset = (
        f"UPDATE messaging_message SET is_read = false WHERE id <= {last} AND sender_id > {ONE + 1}"
        f" AND recipient_id > {ONE + 1} AND is_read"
    )
    return Case(
        "read",
        "PUT /messages/{id}/read",
        [
            Contender("product", PRODUCT, requests, reset),
            Contender("peer", PEER, requests, reset),
            Contender("SQL", BARE, plain, reset),
        ],
    )


def search(facts: Facts) -> Case:
    # The hot user has a fifth of all messages.
    frequent, middle, rare = MARKERS
    words = {
        "frequent word": frequent,
        "middling word": middle,
        "rare word": rare,
        "absent word": ABSENT,
        "two words": f"{frequent}+tomorrow",
    }
    contenders = [Contender("GET /messages", PRODUCT, get(facts, HOT, "/messages"))]
    contenders += [
        Contender(kind, PRODUCT, get(facts, HOT, f"/messages?search={word}")) for kind, word in words.items()
    ]
    return Case("search", "GET /messages?search= of the hot user", contenders, seconds=2)


def login(facts: Facts) -> Case:
    requests = list(logins(facts))
    return Case(
        "login",
        "POST /auth/login",
        [
            Contender("product", PRODUCT, requests),
            Contender("peer", PEER, requests),
            Contender("bcrypt", BARE, [Request("/bcrypt")]),
        ],
        # A worker does four a second, and requests in flight at the end of a run do not count.
        seconds=5,
        warm_up=3,
    )


def logins(facts: Facts) -> Iterator[Request]:
    first = facts.shape.users // 2
    for user in range(first, first + 500):
        body = json.dumps({"username": username(user), "password": PASSWORD})
        yield Request("/auth/login", "POST", {"Content-Type": "application/json"}, body)


def senders(facts: Facts) -> Case:
    couples = pairs(facts, SENDERS)
    (low, high), *_ = couples
    return Case(
        "senders",
        "50 senders",
        [
            Contender("into one", PRODUCT, posts(facts, [(low, high), (high, low)])),
            Contender("into 50", PRODUCT, posts(facts, couples)),
        ],
        connections=(SENDERS,),
    )


CASES: dict[str, Callable[[Facts], Case]] = {
    "floors": floors,
    "me": me,
    "message": message,
    "unread": unread,
    "messages": messages,
    "conversations": conversations,
    "conversation": conversation,
    "reports": reports,
    "search": search,
    "send": send,
    "read": read,
    "senders": senders,
    "login": login,
}


def growing(facts: Facts) -> dict[str, list[Request]]:
    # All lists and counts.
    lists = {
        "GET /messages, ordinary": (ORDINARY, "/messages"),
        "GET /messages, hot": (HOT, "/messages"),
        "GET /messages, hot, deep": (HOT, f"/messages?before={facts.shape.messages // 10}"),
        "GET /messages?unread_only, hot": (HOT, "/messages?unread_only=true"),
        "GET /messages/sent, hot": (HOT, "/messages/sent"),
        "GET /messages/received, hot": (HOT, "/messages/received"),
        "GET unread/count, ordinary": (ORDINARY, "/messages/unread/count"),
        "GET unread/count, hot": (HOT, "/messages/unread/count"),
        "GET /auth/conversations, ordinary": (ORDINARY, "/auth/conversations"),
        "GET /auth/conversations, hot, 50": (HOT, "/auth/conversations?limit=50"),
        "GET conversation messages": (ONE, f"/auth/conversations/conv_{ONE}_{ONE + 1}/messages"),
        "GET /reports": (ORDINARY, "/reports"),
        "GET /auth/sessions": (ORDINARY, "/auth/sessions"),
        "GET /auth/directory": (ORDINARY, "/auth/directory?search=ma"),
        "GET /auth/blocks": (ORDINARY, "/auth/blocks"),
    }
    return {name: get(facts, user, path) for name, (user, path) in lists.items()}
