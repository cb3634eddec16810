"""Pages and their `Link` header, on two lists: messages run oldest first, sessions newest first."""

import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from rest_framework.test import APIClient

from accounts.models import Session, User
from aimessage.tests.asserts import assert_problem
from conftest import ApiClient
from messaging.models import Message
from tests.factories import MessageFactory, SessionFactory

_LINK = re.compile(r'<([^>]+)>; rel="(\w+)"')


def links(answer: Any) -> dict[str, str]:
    return {rel: url for url, rel in _LINK.findall(answer.headers.get("Link", ""))}


def ids(answer: Any) -> list[int]:
    assert answer.status_code == 200, answer.content
    return [item["id"] for item in answer.json()]


@pytest.fixture
def reader(as_user: ApiClient, alice: User) -> APIClient:
    return as_user(alice)


@pytest.fixture
def seven(alice: User, bob: User) -> list[int]:
    """Ids of messages between alice and bob, in both directions."""
    pairs = [(alice, bob), (bob, alice)] * 3 + [(alice, bob)]
    return [MessageFactory(sender=sender, recipient=recipient).pk for sender, recipient in pairs]


def test_a_list_is_a_bare_array_and_empty_without_items(reader: APIClient) -> None:
    answer = reader.get("/messages")

    assert (answer.status_code, answer.json()) == (200, [])
    assert "Link" not in answer.headers


def test_a_page_holds_the_newest_oldest_first(reader: APIClient, seven: list[int]) -> None:
    assert ids(reader.get("/messages")) == seven
    assert ids(reader.get("/messages?limit=3")) == seven[-3:]


def test_skip_leaves_out_the_newest(reader: APIClient, seven: list[int]) -> None:
    assert ids(reader.get("/messages?limit=3&skip=2")) == seven[2:5]
    assert ids(reader.get("/messages?skip=0")) == seven
    assert ids(reader.get("/messages?skip=6")) == seven[:1]
    assert ids(reader.get("/messages?skip=7")) == []
    assert ids(reader.get(f"/messages?skip={2**62}&limit=500")) == []


def test_before_is_the_page_just_older_and_after_the_page_just_newer(
    reader: APIClient, seven: list[int]
) -> None:
    assert ids(reader.get(f"/messages?limit=2&before={seven[4]}")) == seven[2:4]
    assert ids(reader.get(f"/messages?limit=2&after={seven[2]}")) == seven[3:5]
    assert ids(reader.get(f"/messages?before={2**63 - 1}")) == seven
    assert ids(reader.get("/messages?after=0")) == seven
    assert ids(reader.get("/messages?before=0")) == []
    assert ids(reader.get(f"/messages?after={2**63 - 1}")) == []


def test_a_page_holds_100_by_default_and_500_at_most(as_user: ApiClient, alice: User) -> None:
    client = as_user(alice)
    SessionFactory.create_batch(100, user=alice)

    assert len(ids(client.get("/auth/sessions"))) == 100
    assert len(ids(client.get("/auth/sessions?limit=500"))) == 101
    assert len(ids(client.get("/auth/sessions?limit=1"))) == 1


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=501",
        "limit=-1",
        "limit=x",
        "limit=",
        "limit=2.5",
        "limit=1e2",
        "limit=%2B5",
        "limit=\u0665",
        f"limit={'9' * 5000}",
        "skip=-1",
        "skip=x",
        f"skip={2**63}",
        "before=-1",
        "before=x",
        f"before={2**63}",
        "after=1.0",
        f"after={'9' * 30}",
    ],
)
def test_a_value_out_of_range_or_no_number_is_refused(reader: APIClient, query: str) -> None:
    name = query.partition("=")[0]

    assert set(assert_problem(reader.get(f"/messages?{query}"), 400)["errors"]) == {name}
    assert_problem(reader.get(f"/auth/sessions?{query}"), 400)


@pytest.mark.parametrize("query", ["skip=1&before=5", "skip=1&after=5", "before=9&after=1"])
def test_only_one_way_to_say_which_page(reader: APIClient, query: str) -> None:
    assert_problem(reader.get(f"/messages?{query}"), 400)


@pytest.mark.parametrize(
    ("query", "relations"),
    [
        ("", set()),
        ("limit=7", set()),
        ("limit=6", {"next"}),
        ("limit=3&skip=2", {"next", "prev"}),
        ("limit=5&skip=2", {"prev"}),
        ("skip=7", {"prev"}),
        ("limit=2&before={5}", {"next", "prev"}),
        ("limit=2&before={2}", {"prev"}),
        ("before={0}", {"prev"}),
        ("limit=2&after={1}", {"next", "prev"}),
        ("limit=2&after={4}", {"next"}),
        ("after={6}", {"next"}),
        ("after=0", set()),
        ("limit=2&after=0", {"prev"}),
    ],
)
def test_a_relation_with_nothing_behind_it_is_left_out(
    reader: APIClient, seven: list[int], query: str, relations: set[str]
) -> None:
    answer = reader.get(f"/messages?{query.format(*seven)}")

    assert set(links(answer)) == relations


@pytest.mark.parametrize("query", ["", "skip=3", "before=1", "after=1", "limit=1"])
def test_where_there_is_nothing_no_link_leads_anywhere(reader: APIClient, query: str) -> None:
    assert links(reader.get(f"/messages?{query}")) == {}


def test_a_link_is_absolute_has_a_cursor_and_keeps_the_other_parameters(
    reader: APIClient, bob: User, seven: list[int]
) -> None:
    answer = reader.get(f"/messages?limit=2&skip=2&with_user={bob.pk}&search=message")

    for rel, name, cursor in (("next", "before", seven[3]), ("prev", "after", seven[4])):
        url = urlsplit(links(answer)[rel])
        assert (url.scheme, url.netloc, url.path) == ("http", "testserver", "/messages")
        assert parse_qs(url.query) == {
            "limit": ["2"],
            "with_user": [str(bob.pk)],
            "search": ["message"],
            name: [str(cursor)],
        }


def test_following_next_visits_every_item_once_while_new_ones_arrive(
    reader: APIClient, alice: User, bob: User, seven: list[int]
) -> None:
    seen: list[int] = []
    url: str | None = "/messages?limit=2"
    while url:
        answer = reader.get(url)
        seen = ids(answer) + seen
        url = links(answer).get("next")
        MessageFactory(sender=bob, recipient=alice)

    assert seen == seven


def test_following_prev_comes_back_to_the_newest(reader: APIClient, seven: list[int]) -> None:
    seen: list[int] = []
    url: str | None = f"/messages?limit=2&before={seven[0]}"
    while url:
        answer = reader.get(url)
        seen += ids(answer)
        url = links(answer).get("prev")

    assert seen == seven


def test_a_list_that_runs_newest_first_pages_the_same_way(as_user: ApiClient, alice: User) -> None:
    client = as_user(alice)
    SessionFactory.create_batch(6, user=alice)
    newest_first = list(Session.objects.order_by("-pk").values_list("pk", flat=True))

    seen: list[int] = []
    url: str | None = "/auth/sessions?limit=3"
    while url:
        answer = client.get(url)
        assert ids(answer) == sorted(ids(answer), reverse=True)
        seen += ids(answer)
        url = links(answer).get("next")

    assert seen == newest_first
    assert ids(client.get(f"/auth/sessions?limit=2&after={newest_first[-1]}")) == newest_first[-3:-1]


def test_a_link_survives_the_deletion_of_what_its_cursor_names(reader: APIClient, seven: list[int]) -> None:
    url = links(reader.get("/messages?limit=3"))["next"]
    Message.objects.filter(pk=seven[-3]).delete()

    assert ids(reader.get(url)) == seven[1:4]
