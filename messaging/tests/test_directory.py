"""GET /auth/directory."""

from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import pytest
from django.utils.http import urlencode
from rest_framework.test import APIClient

from accounts.models import User
from conftest import ApiClient
from messaging.tests.answers import faults, links, pages, problem
from tests.factories import BlockFactory, UserFactory

PATH = "/auth/directory"


def names(page: list[dict[str, str]]) -> list[str]:
    return [item["username"] for item in page]


def find(client: APIClient, search: str) -> list[str]:
    answer = client.get(f"{PATH}?{urlencode({'search': search})}")
    assert answer.status_code == 200, answer.json()
    return names(answer.json())


def test_directory_shows_who_it_is_and_no_more(as_user: ApiClient, alice: User, bob: User) -> None:
    nameless = UserFactory(username="bobby", full_name=None, phone_number="+4930123456")

    answer = as_user(alice).get(f"{PATH}?search=bob")

    assert answer.status_code == 200
    assert answer.json() == [
        {"id": bob.pk, "username": "bob", "full_name": "Bob Baker", "kind": "person"},
        {"id": nameless.pk, "username": "bobby", "full_name": None, "kind": "person"},
    ]


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("jo", True),
        ("JO.W", True),
        ("jo.walz_7", True),
        ("walz", False),
        ("jörg", True),
        ("JÖRG", True),
        ("le", True),
        ("le bret", True),
        ("  le   bret ", True),
        ("breton", True),
        ("breton o'b", True),
        ("le breto o'brien", False),
        ("breton straße", False),
        ("strasse", True),
        ("STRAßE", True),
        ("mül", True),
        ("o'br", True),
        ("brien", True),
        ("rien", False),
        ("örg", False),
        ("jorg", False),
        ("example", False),
        ("jo%", False),
        ("j_", False),
        ("__", False),
        ("%%", False),
        ("\\\\", False),
    ],
)
def test_directory_finds_by_the_start_of_username_or_word_of_full_name(
    as_user: ApiClient, alice: User, search: str, found: bool
) -> None:
    UserFactory(username="Jo.Walz_7", full_name="Jörg Le Breton O'Brien Straße-Müller")

    assert find(as_user(alice), search) == (["Jo.Walz_7"] if found else [])


def test_directory_finds_by_words_of_any_length(as_user: ApiClient, alice: User) -> None:
    """PostgreSQL's index knows the first 64 characters of a word."""
    UserFactory(username="long", full_name="x" * 70 + "yz")

    assert find(as_user(alice), "x" * 70 + "y") == ["long"]
    assert find(as_user(alice), "x" * 70 + "z") == []


def test_directory_is_sorted_by_username_without_regard_to_case(as_user: ApiClient, alice: User) -> None:
    for name in ("xb", "Xc", "xa", "XD"):
        UserFactory(username=name, full_name="Zoe")

    assert find(as_user(alice), "zo") == ["xa", "xb", "Xc", "XD"]


def test_directory_leaves_out_whom_one_cannot_write_to(as_user: ApiClient, alice: User) -> None:
    near, disabled, blocked, blocking = (
        UserFactory(username=f"al-{name}") for name in ("near", "disabled", "blocked", "blocking")
    )
    User.objects.filter(pk=disabled.pk).update(is_active=False)
    BlockFactory(blocker=alice, blocked=blocked)
    BlockFactory(blocker=blocking, blocked=alice)
    BlockFactory(blocker=near, blocked=blocking)

    assert find(as_user(alice), "al") == ["al-near"]
    assert find(as_user(near), "al") == ["al-blocked", "alice"]


@pytest.mark.parametrize(
    "query", ["", "search=", "search=a", "search=%20a%20", "search=" + "a" * 256, "search=ab" + "%20" * 254]
)
def test_directory_wants_two_characters_or_more(as_user: ApiClient, alice: User, query: str) -> None:
    assert faults(as_user(alice).get(f"{PATH}?{query}")) == {"search"}


def test_directory_pages_visit_everybody_once_while_new_ones_arrive(as_user: ApiClient, alice: User) -> None:
    """Newcomers may show up or not; those who were there do so once."""
    there = [f"user{number:02}" for number in range(0, 14, 2)]
    for name in reversed(there):
        UserFactory(username=name)
    newcomers = iter(["user01", "user11", "user03", "user99", "user05", "user13", "user07"])

    walked = pages(
        as_user(alice), f"{PATH}?search=user&limit=2", meanwhile=lambda: UserFactory(username=next(newcomers))
    )
    visited = [name for page in walked for name in names(page)]

    assert [name for name in visited if name in there] == there
    assert visited == sorted(set(visited))


def test_directory_cursor_is_a_username_in_any_case(as_user: ApiClient, alice: User) -> None:
    for name in ("Zed.One", "zed.two", "zed.three"):
        UserFactory(username=name)
    client = as_user(alice)

    after = [
        names(client.get(f"{PATH}?search=zed&after={name}").json()) for name in ("zed.one", "ZED.THREE", "z")
    ]

    assert after == [["zed.three", "zed.two"], ["zed.two"], ["Zed.One", "zed.three", "zed.two"]]


def test_directory_links_to_the_names_after_and_never_back(as_user: ApiClient, alice: User) -> None:
    for name in ("zed+a", "zed+b", "zed+c", "zed+d"):
        UserFactory(username=name)

    answer = as_user(alice).get(f"{PATH}?search=ZED&skip=1&limit=2")

    assert names(answer.json()) == ["zed+b", "zed+c"]
    assert set(links(answer)) == {"next"}
    url = urlsplit(links(answer)["next"])
    assert (url.scheme, url.netloc, url.path) == ("http", "testserver", PATH)
    assert parse_qs(url.query) == {"search": ["ZED"], "limit": ["2"], "after": ["zed+c"]}
    last = as_user(alice).get(links(answer)["next"])
    assert (names(last.json()), links(last)) == (["zed+d"], {})


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=501", "limit"),
        ("skip=-1", "skip"),
        ("skip=x", "skip"),
        ("skip=1&after=bob", "non_field_errors"),
    ],
)
def test_directory_refuses_a_page_out_of_range(
    as_user: ApiClient, alice: User, query: str, field: str
) -> None:
    assert faults(as_user(alice).get(f"{PATH}?search=bob&{query}")) == {field}


def test_directory_requires_a_login(client: APIClient, bob: User) -> None:
    assert problem(client.get(f"{PATH}?search=bob"))[0] == 401


@pytest.mark.parametrize("rows", [2, 30])
def test_directory_takes_a_constant_number_of_queries(
    as_user: ApiClient, alice: User, django_assert_num_queries: Callable[..., object], rows: int
) -> None:
    for number in range(rows):
        UserFactory(username=f"zed{number}")
    client = as_user(alice)

    # the session with its user; the people, without those of whom one blocks the other
    with django_assert_num_queries(2):
        answer = client.get(f"{PATH}?search=zed")

    assert len(answer.json()) == rows
