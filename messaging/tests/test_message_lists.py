"""What GET /messages, /messages/sent, /messages/received and a conversation's messages share: pages."""

from collections.abc import Callable
from itertools import count
from urllib.parse import parse_qs, urlsplit

import pytest
from django.db import connection
from rest_framework.test import APIClient

from accounts.models import User
from conftest import ApiClient
from messaging.models import Message
from messaging.tests.answers import faults, links, pages, problem
from tests.factories import MessageFactory

#: 1 where the database reads sent and received messages in two queries.
APART = int(not connection.features.supports_slicing_ordering_in_compound)
LISTS = ["all", "sent", "received", "conversation"]


@pytest.fixture
def paths(alice: User, bob: User) -> dict[str, str]:
    conversation = f"/auth/conversations/conv_{alice.pk}_{bob.pk}/messages"
    paths = {name: f"/messages/{name}" for name in ("sent", "received")}
    return {"all": "/messages", "conversation": conversation, **paths}


@pytest.fixture
def talk(alice: User, bob: User) -> Callable[[int], list[Message]]:
    """`talk(4)` makes four messages between alice and bob, who take turns."""
    turn = count()

    def say(number: int) -> list[Message]:
        pair = [(alice, bob), (bob, alice)]
        turns = [pair[next(turn) % 2] for _ in range(number)]
        return [MessageFactory(sender=sender, recipient=recipient) for sender, recipient in turns]

    return say


def expected(name: str, user: User) -> list[int]:
    """The ids that `user` must see in the list, oldest first."""
    among = {"sent": Message.objects.filter(sender=user), "received": Message.objects.filter(recipient=user)}
    return list(among.get(name, Message.objects.all()).order_by("pk").values_list("pk", flat=True))


def ids(page: list[dict[str, int]]) -> list[int]:
    return [message["id"] for message in page]


@pytest.mark.parametrize("name", LISTS)
def test_list_holds_ones_own_messages_oldest_first(
    as_user: ApiClient,
    alice: User,
    carol: User,
    mallory: User,
    paths: dict[str, str],
    talk: Callable[[int], list[Message]],
    name: str,
) -> None:
    talk(5)
    own = expected(name, alice)
    MessageFactory(sender=carol, recipient=mallory)
    client = as_user(alice)

    answer = client.get(paths[name])

    assert answer.status_code == 200
    assert ids(answer.json()) == own
    assert answer.json() == [client.get(f"/messages/{pk}").json() for pk in own]
    assert "Link" not in answer


@pytest.mark.parametrize("name", ["all", "sent", "received"])
def test_list_is_an_empty_array_where_there_is_nothing(
    as_user: ApiClient, alice: User, paths: dict[str, str], name: str
) -> None:
    answer = as_user(alice).get(paths[name])

    assert (answer.status_code, answer.json()) == (200, [])
    assert "Link" not in answer


@pytest.mark.parametrize("name", LISTS)
def test_list_pages_the_newest_first_and_oldest_first_within(
    as_user: ApiClient,
    alice: User,
    paths: dict[str, str],
    talk: Callable[[int], list[Message]],
    name: str,
) -> None:
    talk(14)
    own = expected(name, alice)

    walked = [ids(page) for page in pages(as_user(alice), f"{paths[name]}?limit=3")]

    assert walked[0] == own[-3:]
    assert [pk for page in reversed(walked) for pk in page] == own
    assert all(len(page) == 3 for page in walked[:-1])


@pytest.mark.parametrize("name", LISTS)
def test_list_visits_every_message_once_while_new_ones_arrive(
    as_user: ApiClient,
    alice: User,
    paths: dict[str, str],
    talk: Callable[[int], list[Message]],
    name: str,
) -> None:
    talk(10)
    own = expected(name, alice)
    client = as_user(alice)

    walked = [ids(page) for page in pages(client, f"{paths[name]}?limit=2", meanwhile=lambda: talk(2))]

    assert len(walked) > 2
    assert [pk for page in reversed(walked) for pk in page] == own


@pytest.mark.parametrize("name", LISTS)
def test_list_leads_back_to_the_newest(
    as_user: ApiClient,
    alice: User,
    paths: dict[str, str],
    talk: Callable[[int], list[Message]],
    name: str,
) -> None:
    talk(10)
    own = expected(name, alice)

    walked = [ids(page) for page in pages(as_user(alice), f"{paths[name]}?limit=2&after=0", "prev")]

    assert [pk for page in walked for pk in page] == own


@pytest.mark.parametrize("name", LISTS)
def test_list_links_are_absolute_hold_a_cursor_and_keep_parameters(
    as_user: ApiClient,
    alice: User,
    bob: User,
    paths: dict[str, str],
    talk: Callable[[int], list[Message]],
    name: str,
) -> None:
    talk(12)
    query = f"limit=2&skip=2&with_user={bob.pk}&search=message"

    answer = as_user(alice).get(f"{paths[name]}?{query}")

    page = ids(answer.json())
    found = links(answer)
    assert set(found) == {"next", "prev"}
    for rel, cursor in (("next", ("before", page[0])), ("prev", ("after", page[-1]))):
        url = urlsplit(found[rel])
        assert (url.scheme, url.netloc, url.path) == ("http", "testserver", paths[name])
        assert parse_qs(url.query) == {
            "limit": ["2"],
            "with_user": [str(bob.pk)],
            "search": ["message"],
            cursor[0]: [str(cursor[1])],
        }


def test_list_leaves_out_a_relation_with_nothing_behind_it(
    as_user: ApiClient, alice: User, talk: Callable[[int], list[Message]]
) -> None:
    one, two, three, four = (message.pk for message in talk(4))
    client = as_user(alice)
    relations = {
        "limit=4": set(),
        "limit=2": {"next"},
        f"limit=2&before={three}": {"prev"},
        f"limit=1&before={three}": {"next", "prev"},
        f"before={four + 1}": set(),
        f"limit=2&after={two}": {"next"},
        f"limit=2&after={one}": {"next", "prev"},
        "limit=2&after=0": {"prev"},
        f"after={four}": {"next"},
        f"before={one}": {"prev"},
        "skip=2": {"prev"},
        "skip=4": {"prev"},
        "skip=1&limit=2": {"next", "prev"},
        "search=nothing": set(),
        "search=nothing&after=0": set(),
    }

    found = {query: set(links(client.get(f"/messages?{query}"))) for query in relations}

    assert found == relations


@pytest.mark.parametrize("query", ["before={first}", "skip=4", "skip=99"])
def test_list_leads_back_from_past_the_oldest(
    as_user: ApiClient, alice: User, talk: Callable[[int], list[Message]], query: str
) -> None:
    own = [message.pk for message in talk(4)]
    client = as_user(alice)

    walked = list(pages(client, f"/messages?limit=3&{query.format(first=own[0])}", "prev"))

    assert [ids(page) for page in walked] == [[], own[:3], own[3:]]


def test_list_leads_on_from_past_the_newest(
    as_user: ApiClient, alice: User, talk: Callable[[int], list[Message]]
) -> None:
    """What a poller sees that came too early: nothing, and the way to what it has."""
    own = [message.pk for message in talk(4)]

    walked = list(pages(as_user(alice), f"/messages?limit=3&after={own[-1]}"))

    assert [ids(page) for page in walked] == [[], own[1:], own[:1]]


@pytest.mark.parametrize("name", LISTS)
def test_list_cursors_exclude_the_message_they_name(
    as_user: ApiClient,
    alice: User,
    paths: dict[str, str],
    talk: Callable[[int], list[Message]],
    name: str,
) -> None:
    talk(10)
    own = expected(name, alice)
    client = as_user(alice)

    older = ids(client.get(f"{paths[name]}?limit=2&before={own[3]}").json())
    newer = ids(client.get(f"{paths[name]}?limit=2&after={own[1]}").json())

    assert older == own[1:3]
    assert newer == own[2:4]


@pytest.mark.parametrize("name", LISTS)
def test_list_skips_the_newest(
    as_user: ApiClient,
    alice: User,
    paths: dict[str, str],
    talk: Callable[[int], list[Message]],
    name: str,
) -> None:
    talk(10)
    own = expected(name, alice)
    client = as_user(alice)

    found = [
        ids(client.get(f"{paths[name]}?{query}").json())
        for query in ("skip=1&limit=2", "skip=0", "skip=100", f"skip={2**62}")
    ]

    assert found == [own[-3:-1], own, [], []]


def test_list_holds_a_hundred_unless_told(as_user: ApiClient, alice: User, bob: User) -> None:
    first = MessageFactory(sender=alice, recipient=bob)
    Message.objects.bulk_create(
        Message(sender=alice, recipient=bob, conversation=first.conversation, content="x") for _ in range(500)
    )
    client = as_user(alice)

    lengths = [len(client.get(f"/messages{query}").json()) for query in ("", "?limit=500", "?limit=1")]

    assert lengths == [100, 500, 1]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=501", "limit"),
        ("limit=-1", "limit"),
        ("limit=ten", "limit"),
        ("limit=", "limit"),
        ("limit=1.0", "limit"),
        ("limit=٣", "limit"),
        ("skip=-1", "skip"),
        ("skip=x", "skip"),
        ("skip=99999999999999999999", "skip"),
        ("before=-1", "before"),
        ("before=x", "before"),
        ("before=99999999999999999999", "before"),
        ("after=-1", "after"),
        ("after=1e3", "after"),
        ("after=" + "9" * 5000, "after"),
        ("skip=1&after=0", "non_field_errors"),
        ("skip=1&before=9", "non_field_errors"),
        ("before=9&after=1", "non_field_errors"),
    ],
)
def test_list_refuses_a_page_out_of_range(
    as_user: ApiClient,
    alice: User,
    paths: dict[str, str],
    talk: Callable[[int], list[Message]],
    query: str,
    field: str,
) -> None:
    talk(1)
    client = as_user(alice)

    answers = [client.get(f"{path}?{query}") for path in paths.values()]

    assert [faults(answer) for answer in answers] == [{field}] * 4


def test_list_requires_a_login(
    client: APIClient, paths: dict[str, str], talk: Callable[[int], list[Message]]
) -> None:
    talk(1)

    assert [problem(client.get(path))[0] for path in paths.values()] == [401] * 4


@pytest.mark.parametrize("rows", [2, 30])
@pytest.mark.parametrize(
    ("name", "queries"),
    [
        # the session with its user; the messages sent and received, which SQLite takes apart
        ("all", 2 + APART),
        # the session with its user; the messages
        ("sent", 2),
        ("received", 2),
        ("conversation", 2),
    ],
)
def test_list_takes_a_constant_number_of_queries(
    as_user: ApiClient,
    alice: User,
    paths: dict[str, str],
    talk: Callable[[int], list[Message]],
    django_assert_num_queries: Callable[..., object],
    rows: int,
    name: str,
    queries: int,
) -> None:
    talk(rows)
    client = as_user(alice)

    with django_assert_num_queries(queries):
        answer = client.get(paths[name])

    assert len(answer.json()) == len(expected(name, alice))


@pytest.mark.parametrize("rows", [6, 30])
@pytest.mark.parametrize(
    ("name", "queries"),
    [
        # as above; on SQLite others for `prev`: is a message newer
        ("all", 2 + 3 * APART),
        ("sent", 2 + APART),
        ("received", 2 + APART),
        ("conversation", 2 + APART),
    ],
)
def test_list_takes_a_constant_number_of_queries_for_a_page_amid(
    as_user: ApiClient,
    alice: User,
    paths: dict[str, str],
    talk: Callable[[int], list[Message]],
    django_assert_num_queries: Callable[..., object],
    rows: int,
    name: str,
    queries: int,
) -> None:
    talk(rows)
    own = expected(name, alice)
    client = as_user(alice)

    with django_assert_num_queries(queries):
        answer = client.get(f"{paths[name]}?limit=1&before={own[-1]}")

    assert set(links(answer)) == {"next", "prev"}
