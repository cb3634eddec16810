"""`search` on the message lists, which must find the same on both databases."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils.http import urlencode

from accounts.models import User
from conftest import ApiClient
from messaging import lookups
from messaging.querysets import INDEXED_PATTERNS
from messaging.tests.answers import faults, problem
from tests.factories import MessageFactory


@pytest.mark.parametrize(
    ("content", "search"),
    [
        ("Shall we meet at noon?", "noon"),
        ("Shall we meet at noon?", "NOON"),
        ("SHALL WE MEET", "shall"),
        ("Shall we meet at noon?", "noon shall"),
        ("Shall we meet at noon?", "oo ha"),
        ("Shall we meet at noon?", "  noon \t meet "),
        ("Shall we meet at noon?", "noon? noon?"),
        ("two\nlines", "LINES two"),
        ("L'École est fermée", "école FERMÉE"),
        ("ÜBER ÄPFEL", "äpfel über"),
        ("Straße", "STRASSE"),
        ("STRASSE", "straße"),
        ("STRAẞE", "straße"),
        ("Привет, мир", "МИР привет"),
        ("ΟΔΟΣ", "οδος"),
        ("οδός", "ΟΔΌΣ"),
        ("日本語のテキスト", "テキスト"),
        ("100% sure", "100%"),
        ("snake_case", "snake_"),
        (r"C:\temp", "c:\\t"),
        ("it's 'quoted'", "'quoted'"),
        ("a😀b", "😀"),
        ("x" * 19_990 + " needle", "NEEDLE"),
        ("x" * 300, "X" * 200),
    ],
)
def test_search_finds(as_user: ApiClient, alice: User, bob: User, content: str, search: str) -> None:
    message = MessageFactory(sender=alice, recipient=bob, content=content)
    MessageFactory(sender=bob, recipient=alice, content="~")
    query = urlencode({"search": search})
    client = as_user(alice)

    paths = ["/messages", "/messages/sent", f"/auth/conversations/{message.conversation_id}/messages"]
    found = [[item["id"] for item in client.get(f"{path}?{query}").json()] for path in paths]

    assert found == [[message.pk]] * 3


@pytest.mark.parametrize(
    ("content", "search"),
    [
        ("Shall we meet at noon?", "noon midnight"),
        ("Shall we meet at noon?", "atnoon"),
        ("100 sure", "100%"),
        ("100 sure", "%"),
        ("snakeXcase", "snake_case"),
        ("abc", "_"),
        ("C:temp", "\\t"),
        ("Ecole", "École"),
        ("x", "' OR 1=1 --"),
    ],
)
def test_search_does_not_find(as_user: ApiClient, alice: User, bob: User, content: str, search: str) -> None:
    MessageFactory(sender=alice, recipient=bob, content=content)

    answer = as_user(alice).get(f"/messages?{urlencode({'search': search})}")

    assert (answer.status_code, answer.json()) == (200, [])


def test_search_for_no_word_leaves_all(as_user: ApiClient, alice: User, bob: User) -> None:
    MessageFactory(sender=alice, recipient=bob)

    answers = [as_user(alice).get(f"/messages?search={blank}") for blank in ("", "%20", "%09+%0A")]

    assert [len(answer.json()) for answer in answers] == [1, 1, 1]


def test_search_finds_nothing_of_others(as_user: ApiClient, alice: User, bob: User, carol: User) -> None:
    MessageFactory(sender=alice, recipient=bob, content="secret")

    assert as_user(carol).get("/messages?search=secret").json() == []


def test_search_finds_the_edited_text(as_user: ApiClient, alice: User, bob: User) -> None:
    message = MessageFactory(sender=alice, recipient=bob, content="before")
    client = as_user(alice)

    client.put(f"/messages/{message.pk}", {"content": "afterwards"})

    found = [len(client.get(f"/messages?search={word}").json()) for word in ("before", "AFTERWARDS")]
    assert found == [0, 1]


NINE_WORDS = [f"word{number}" for number in range(9)]


@pytest.mark.parametrize("path", ["/messages", "/messages/sent", "/messages/received", "conversation"])
@pytest.mark.parametrize(
    "search",
    [" ".join(NINE_WORDS), "a b c d e f g h i", " ".join(map(chr, range(0x4E00, 0x4E00 + 100)))],
    ids=["nine", "letters", "a hundred"],
)
def test_search_takes_eight_different_words_at_most(
    as_user: ApiClient, alice: User, bob: User, path: str, search: str
) -> None:
    message = MessageFactory(sender=alice, recipient=bob)
    if path == "conversation":
        path = f"/auth/conversations/{message.conversation_id}/messages"

    answer = as_user(alice).get(path, {"search": search})

    assert faults(answer) == {"search"}
    assert problem(answer)[1] == "Search for at most 8 different words."


@pytest.mark.parametrize(
    "search",
    [
        " ".join(NINE_WORDS[:8]),
        " ".join([*NINE_WORDS[:8], *NINE_WORDS[:8]]),
        " ".join([*NINE_WORDS[:8], *map(str.upper, NINE_WORDS[:8])]),
        "word7 " * 30,
    ],
    ids=["eight", "twice", "in another case", "one, often"],
)
def test_search_counts_a_word_once(as_user: ApiClient, alice: User, bob: User, search: str) -> None:
    message = MessageFactory(sender=alice, recipient=bob, content=" ".join(NINE_WORDS))
    MessageFactory(sender=alice, recipient=bob, content=" ".join(NINE_WORDS[:7]))

    answer = as_user(alice).get("/messages", {"search": search})

    assert (answer.status_code, [item["id"] for item in answer.json()]) == (200, [message.pk])


WORDS = ["100%", "snake_case", r"c:\temp", "it's", "Straße", "ΟΔΟΣ", "😀", "x"]


@pytest.mark.parametrize("count", range(1, 9))
def test_search_looks_for_every_word_as_it_is(as_user: ApiClient, alice: User, bob: User, count: int) -> None:
    words = WORDS[-count:]
    text = " ".join(words).swapcase()
    message = MessageFactory(sender=alice, recipient=bob, content=text)
    for word in words:
        other = {"%": "?", "_": "-", "\\": "/", "'": "`"}
        changed = "".join(other.get(char, "") for char in word)
        MessageFactory(sender=alice, recipient=bob, content=text.replace(word.swapcase(), changed) or "~")

    answer = as_user(alice).get("/messages", {"search": " ".join(words)})

    assert [item["id"] for item in answer.json()] == [message.pk]


def test_search_folds_a_text_for_all_words_together(
    as_user: ApiClient, alice: User, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Folding a long text is what a search takes its time for."""
    folded: list[str] = []

    def fold(text: str) -> str:
        folded.append(text)
        return text.lower().upper()

    monkeypatch.setattr(lookups, "fold_case", fold)
    text = " ".join(NINE_WORDS)
    MessageFactory(sender=alice, recipient=bob, content=text)
    client = as_user(alice)

    with CaptureQueriesContext(connection) as captured:
        answer = client.get("/messages/sent", {"search": " ".join(NINE_WORDS[:8])})

    assert len(answer.json()) == 1
    (sql,) = [query["sql"] for query in captured if "messaging_message" in query["sql"]]
    if connection.vendor == "sqlite":
        assert folded.count(text) == 1
    else:
        assert sql.count('LOWER("messaging_message"."content"') <= INDEXED_PATTERNS + 1
