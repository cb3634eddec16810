"""The targets of the benchmark: the ratio of two contenders of a case, and its bound."""

from dataclasses import dataclass

SELECT = "Django, one SELECT"


@dataclass(frozen=True)
class Target:
    """`metric` of contender `one`, divided by that of `other`."""

    title: str
    case: str
    one: str
    other: str
    metric: str
    bound: float
    at_least: bool = True

    def met(self, value: float) -> bool:
        return value >= self.bound if self.at_least else value <= self.bound

    @property
    def wanted(self) -> str:
        return f"{'≥' if self.at_least else '≤'} {self.bound:g}"


def _against_both(
    title: str, case: str, floor: float, peer: float, suffix: str = "", other: str = SELECT
) -> list[Target]:
    ours = f"product{suffix}"
    return [
        Target(f"{title} ÷ {other}{suffix if other == 'SQL' else ''}", case, ours, other, "rate", floor),
        Target(f"{title} ÷ peer", case, ours, f"peer{suffix}", "rate", peer),
    ]


HOT_50 = ", hot, 50 of 2,000"
TARGETS = [
    *_against_both("GET /auth/me", "me", 0.5, 1.5),
    *_against_both("GET /messages/{id}", "message", 0.5, 1.5),
    *_against_both("GET /messages/unread/count", "unread", 0.5, 1.5),
    *_against_both("GET /messages", "messages", 0.35, 1.5),
    *_against_both("GET /messages, hot user", "messages", 0.35, 1.5, ", hot"),
    Target("p50 of the hot user ÷ ordinary", "messages", "product, hot", "product", "p50", 1.25, False),
    Target(
        "p50 half way ÷ first page", "messages", "product, hot, half way", "product, hot", "p50", 1.3, False
    ),
    Target("p50 deep ÷ first page", "messages", "product, hot, deep", "product, hot", "p50", 1.3, False),
    *_against_both("GET /auth/conversations, 20", "conversations", 0.35, 1.5),
    *_against_both("GET /auth/conversations, 50 of 2,000", "conversations", 0.35, 1.5, HOT_50),
    *_against_both("GET conversation messages", "conversation", 0.35, 1.5),
    *_against_both("GET /reports", "reports", 0.35, 1.5),
    *_against_both("POST /messages", "send", 0.6, 1.2, other="SQL"),
    *_against_both("PUT /messages/{id}/read", "read", 0.6, 1.2, other="SQL"),
    *[
        Target(f"p50 of a search, {words} ÷ GET /messages", "search", words, "GET /messages", "p50", 3, False)
        for words in ("frequent word", "middling word", "rare word", "absent word", "two words")
    ],
    Target("POST /auth/login ÷ bcrypt alone", "login", "product", "bcrypt", "rate", 0.95),
    Target(
        "p99 of GET /auth/me while 20 log in ÷ quiet", "noise", "while 20 log in", "quiet", "p99", 5, False
    ),
    Target("50 senders into one conversation ÷ into 50", "senders", "into one", "into 50", "rate", 0.8),
]

GROWTH_BOUND = 1.5
WORKER_MIB, WORKER_AGAINST_PEER = 70, 0.8
ADMIN_MS = 150
