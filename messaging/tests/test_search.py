"""`search` on the message lists, which must find the same on both databases."""

import pytest
from django.utils.http import urlencode

from accounts.models import User
from conftest import ApiClient
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
