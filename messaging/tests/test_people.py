"""GET /auth/people."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from conftest import ApiClient
from messaging.models import Message
from messaging.tests.answers import faults
from tests.factories import BlockFactory, MessageFactory, UserFactory


def ask(client: Any, *ids: int | str) -> list[str]:
    answer = client.get(f"/auth/people?ids={','.join(map(str, ids))}")
    assert answer.status_code == 200, answer.json()
    return [person["username"] for person in answer.json()]


def test_it_shows_who_they_are_and_no_more(as_user: ApiClient, alice: User, bob: User) -> None:
    hal = UserFactory(username="hal", full_name=None, kind=User.Kind.BOT)

    answer = as_user(alice).get(f"/auth/people?ids={hal.pk},{bob.pk},{hal.pk}")

    assert answer.json() == [
        {"id": bob.pk, "username": "bob", "full_name": "Bob Baker", "kind": "person"},
        {"id": hal.pk, "username": "hal", "full_name": None, "kind": "bot"},
    ]
    assert "Link" not in answer


def test_those_one_talks_with_are_shown_whatever_became_of_them(
    as_user: ApiClient, alice: User, bob: User, carol: User, mallory: User
) -> None:
    for other in (bob, mallory):
        MessageFactory(sender=alice, recipient=other)
    User.objects.filter(pk__in=[bob.pk, carol.pk]).update(is_active=False)
    BlockFactory(blocker=mallory, blocked=alice)
    alices = as_user(alice)

    assert ask(alices, bob.pk, carol.pk, mallory.pk) == ["bob", "mallory"]
    Message.objects.all().delete()  # the conversation stays
    assert ask(alices, bob.pk, carol.pk, mallory.pk) == ["bob", "mallory"]


def test_others_are_left_out_as_the_directory_does(
    as_user: ApiClient, alice: User, bob: User, carol: User, mallory: User
) -> None:
    MessageFactory(sender=bob, recipient=mallory)  # which is no talk with alice
    BlockFactory(blocker=alice, blocked=mallory)
    BlockFactory(blocker=carol, blocked=alice)

    assert ask(as_user(alice), alice.pk, bob.pk, carol.pk, mallory.pk) == ["bob"]


@pytest.mark.parametrize("unknown", ["0", "-1", "987654", "007", str(2**63), "9" * 400])
def test_ids_that_nobody_has_are_left_out(as_user: ApiClient, alice: User, bob: User, unknown: str) -> None:
    assert ask(as_user(alice), unknown, bob.pk) == ["bob"]
    assert ask(as_user(alice), unknown) == []


@pytest.mark.parametrize(
    "query",
    [
        *("", "ids=", "ids=abc", "ids=1,", "ids=,1", "ids=1,,2", "ids=2.7", "ids=true", "ids=1;2", "ids=1e3"),
        *("ids=%D9%A3", "ids=" + ",".join(["1"] * 101), "ids=" + "1," * 50_000 + "1"),
    ],
)
def test_anything_else_is_refused(as_user: ApiClient, alice: User, query: str) -> None:
    assert faults(as_user(alice).get(f"/auth/people?{query}")) == {"ids"}


def test_a_hundred_are_answered_with_as_many_queries_as_one(as_user: ApiClient, alice: User) -> None:
    people = UserFactory.create_batch(100)
    MessageFactory(sender=people[0], recipient=alice)
    alices = as_user(alice)

    counts = []
    for asked in (people[:1], people):
        with CaptureQueriesContext(
            connection,
        ) as queries:
            assert len(ask(alices, *(person.pk for person in asked))) == len(asked)
        counts.append(len(queries))

    assert counts == [2, 2]  # the session with its user, the people


@pytest.mark.parametrize("kind", User.Kind.values)
def test_a_conversation_says_what_kind_the_other_is(
    as_user: ApiClient, alice: User, bob: User, kind: str
) -> None:
    MessageFactory(sender=bob, recipient=alice)
    User.objects.filter(pk=bob.pk).update(kind=kind)
    alices = as_user(alice)

    (before,) = alices.get("/auth/conversations").json()
    MessageFactory(sender=bob, recipient=alice)
    (after,) = alices.get("/auth/conversations").json()
    bob.delete()
    (deleted,) = alices.get("/auth/conversations").json()

    assert (before["other_user_kind"], after["other_user_kind"], deleted["other_user_kind"]) == (
        kind,
        kind,
        None,
    )


@pytest.mark.parametrize(
    ("search", "status"),
    [("张", 200), ("あ", 200), ("ｱ", 200), ("한", 200), ("a", 400), ("é", 400), ("e\u0301", 400), ("я", 400),
     ("\u0627", 400), ("7", 400), ("_", 400), ("", 400), ("  a ", 400), ("bo", 200)],
)  # fmt: skip
def test_one_character_is_enough_for_the_directory_where_it_is_no_letter(
    as_user: ApiClient, alice: User, search: str, status: int
) -> None:
    UserFactory(username="wei", full_name="张伟")

    answer = as_user(alice).get("/auth/directory", {"search": search})

    assert answer.status_code == status
    if search == "张":
        assert [person["username"] for person in answer.json()] == ["wei"]
