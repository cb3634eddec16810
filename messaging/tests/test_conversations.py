"""GET /auth/conversations."""

from collections.abc import Callable

import pytest
from django.db import connection
from rest_framework.test import APIClient
from time_machine import TimeMachineFixture

from accounts.models import User
from conftest import ApiClient
from messaging.models import Message
from messaging.tests.answers import faults, links, pages, problem
from tests.factories import BlockFactory, MessageFactory

PATH = "/auth/conversations"


def names(page: list[dict[str, str]]) -> list[str]:
    return [item["other_user_name"] for item in page]


def people_who_wrote_to(user: User, number: int) -> list[str]:
    """The names of as many new users, each of whom wrote to `user`, the latest first."""
    messages = [MessageFactory(recipient=user) for _ in range(number)]
    return [message.sender.username for message in reversed(messages)]


def test_conversations_are_summed_up(
    as_user: ApiClient, alice: User, bob: User, carol: User, time_machine: TimeMachineFixture
) -> None:
    time_machine.move_to("2026-01-02T12:00:00.000001Z", tick=False)
    MessageFactory(sender=bob, recipient=alice)
    last = MessageFactory(sender=bob, recipient=alice, content="é" * 101)
    time_machine.move_to("2026-01-02T12:00:01Z", tick=False)
    MessageFactory(sender=carol, recipient=alice, is_read=True)
    sent = MessageFactory(sender=alice, recipient=carol, content="Hi carol")

    answer = as_user(alice).get(PATH)

    assert answer.status_code == 200
    assert answer.json() == [
        {
            "conversation_id": sent.conversation_id,
            "other_user_id": carol.pk,
            "other_user_name": "carol",
            "other_user_kind": "person",
            "last_message": "Hi carol",
            "last_message_at": "2026-01-02T12:00:01.000000Z",
            "unread_count": 0,
        },
        {
            "conversation_id": last.conversation_id,
            "other_user_id": bob.pk,
            "other_user_name": "bob",
            "other_user_kind": "person",
            "last_message": "é" * 100,
            "last_message_at": "2026-01-02T12:00:00.000001Z",
            "unread_count": 2,
        },
    ]


def test_conversations_of_the_same_pair_stand_apart(as_user: ApiClient, alice: User, bob: User) -> None:
    MessageFactory(sender=bob, recipient=alice)
    MessageFactory(sender=bob, recipient=alice, conversation_id="side-channel", is_read=True)

    listed = as_user(alice).get(PATH).json()

    assert [(item["conversation_id"], item["unread_count"]) for item in listed] == [
        ("side-channel", 0),
        (f"conv_{alice.pk}_{bob.pk}", 1),
    ]


def test_conversations_are_only_ones_own(
    as_user: ApiClient, alice: User, bob: User, carol: User, superuser: User
) -> None:
    MessageFactory(sender=alice, recipient=bob)

    answers = [as_user(user).get(PATH) for user in (carol, superuser)]

    assert [answer.json() for answer in answers] == [[], []]


def test_conversation_comes_to_the_top_with_a_message_and_stays_with_an_edit(
    as_user: ApiClient, alice: User, bob: User, carol: User
) -> None:
    early = MessageFactory(sender=bob, recipient=alice)
    MessageFactory(sender=carol, recipient=alice)
    client = as_user(alice)

    orders = [names(client.get(PATH).json())]
    as_user(bob).put(f"/messages/{early.pk}", {"content": "Edited"})
    orders.append(names(client.get(PATH).json()))
    client.post("/messages", {"recipient_id": bob.pk, "content": "Hello"})
    orders.append(names(client.get(PATH).json()))

    assert orders == [["carol", "bob"], ["carol", "bob"], ["bob", "carol"]]


def test_conversation_shows_the_edited_last_message(as_user: ApiClient, alice: User, bob: User) -> None:
    message = MessageFactory(sender=bob, recipient=alice)

    as_user(bob).put(f"/messages/{message.pk}", {"content": "Edited"})

    assert as_user(alice).get(PATH).json()[0]["last_message"] == "Edited"


def test_conversation_counts_as_unread_what_one_received_did_not_read_and_did_not_delete(
    as_user: ApiClient, alice: User, bob: User
) -> None:
    one, two, _, _ = (MessageFactory(sender=bob, recipient=alice) for _ in range(4))
    client = as_user(alice)

    client.put(f"/messages/{one.pk}/read")
    client.delete(f"/messages/{two.pk}")

    assert client.get(PATH).json()[0]["unread_count"] == 2
    assert as_user(bob).get(PATH).json()[0]["unread_count"] == 0


@pytest.mark.parametrize("fate", ["disabled", "blocked"])
def test_conversation_stays_listed_with_a_user_one_cannot_write_to(
    as_user: ApiClient, alice: User, bob: User, fate: str
) -> None:
    MessageFactory(sender=bob, recipient=alice)
    if fate == "disabled":
        User.objects.filter(pk=bob.pk).update(is_active=False)
    else:
        BlockFactory(blocker=alice, blocked=bob)

    assert names(as_user(alice).get(PATH).json()) == ["bob"]


def test_conversation_of_which_one_sees_nothing_is_not_listed_until_the_next_message(
    as_user: ApiClient, alice: User, bob: User
) -> None:
    message = MessageFactory(sender=bob, recipient=alice)
    client = as_user(alice)

    client.delete(f"/messages/{message.pk}")
    listed = [client.get(PATH).json()]
    MessageFactory(sender=bob, recipient=alice, content="Again")
    listed.append(client.get(PATH).json())

    assert listed[0] == []
    assert [item["last_message"] for item in listed[1]] == ["Again"]


def test_conversations_pages_visit_each_once_while_new_ones_arrive(as_user: ApiClient, alice: User) -> None:
    people = people_who_wrote_to(alice, 7)

    def arrive() -> None:
        people_who_wrote_to(alice, 2)

    walked = list(pages(as_user(alice), f"{PATH}?limit=3", meanwhile=arrive))

    assert [len(page) for page in walked] == [3, 3, 1]
    assert [name for page in walked for name in names(page)] == people


def test_conversations_pages_lead_back_newest_first_within(as_user: ApiClient, alice: User) -> None:
    people = people_who_wrote_to(alice, 7)

    walked = list(pages(as_user(alice), f"{PATH}?limit=3&after=0", "prev"))

    assert [names(page) for page in walked] == [people[4:], people[1:4], people[:1]]


def test_conversations_cursor_is_the_id_of_the_last_message(as_user: ApiClient, alice: User) -> None:
    people = people_who_wrote_to(alice, 4)
    cursors = list(Message.objects.order_by("-pk").values_list("pk", flat=True))
    client = as_user(alice)

    older = names(client.get(f"{PATH}?before={cursors[1]}").json())
    newer = names(client.get(f"{PATH}?after={cursors[1]}").json())
    middle = client.get(f"{PATH}?skip=1&limit=2")

    assert (older, newer, names(middle.json())) == (people[2:], people[:1], people[1:3])
    assert links(middle) == {
        "next": f"http://testserver{PATH}?limit=2&before={cursors[2]}",
        "prev": f"http://testserver{PATH}?limit=2&after={cursors[1]}",
    }


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=501", "limit"),
        ("skip=-1", "skip"),
        ("before=x", "before"),
        ("after=99999999999999999999", "after"),
        ("skip=1&before=1", "non_field_errors"),
    ],
)
def test_conversations_refuse_a_page_out_of_range(
    as_user: ApiClient, alice: User, query: str, field: str
) -> None:
    assert faults(as_user(alice).get(f"{PATH}?{query}")) == {field}


def test_conversations_require_a_login(client: APIClient) -> None:
    assert problem(client.get(PATH))[0] == 401


@pytest.mark.parametrize("rows", [2, 30])
def test_conversations_take_a_constant_number_of_queries(
    as_user: ApiClient, alice: User, django_assert_num_queries: Callable[..., object], rows: int
) -> None:
    people_who_wrote_to(alice, rows)
    client = as_user(alice)

    # the session with its user; the conversations with last message, other user and unread count
    with django_assert_num_queries(2):
        answer = client.get(PATH)

    assert len(answer.json()) == rows


@pytest.mark.parametrize("rows", [4, 30])
def test_conversations_take_a_constant_number_of_queries_for_a_page_amid(
    as_user: ApiClient, alice: User, django_assert_num_queries: Callable[..., object], rows: int
) -> None:
    people_who_wrote_to(alice, rows)
    newest = Message.objects.latest("pk")
    client = as_user(alice)

    # as above; on SQLite another for `prev`: is a conversation newer
    with django_assert_num_queries(3 - connection.features.supports_slicing_ordering_in_compound):
        answer = client.get(f"{PATH}?limit=2&before={newest.pk}")

    assert set(links(answer)) == {"next", "prev"}
