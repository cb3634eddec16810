"""No answer is larger than 4 MiB: a page that would be ends early, and `Link` leads to the rest."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from accounts.models import User
from aimessage.api.lists import pages as pagination
from aimessage.tests.asserts import assert_problem
from conftest import ApiClient
from messaging.models import CONTENT_MAX_LENGTH, Message
from messaging.tests.answers import links
from reports.models import Report
from tests.factories import MessageFactory, ReportFactory, SessionFactory, UserFactory

LARGEST = 4 * 1024 * 1024

TEXTS = {
    "control characters": "\x01" * CONTENT_MAX_LENGTH,
    "emoji": "\N{GRINNING FACE}" * CONTENT_MAX_LENGTH,
    "line separators": "\u2028" * CONTENT_MAX_LENGTH,
    "quotes": '"' * CONTENT_MAX_LENGTH,
    "plain": "a" * CONTENT_MAX_LENGTH,
}


def fill(user: User, other: User, text: str, count: int) -> list[int]:
    """Ids of that many messages between the two, in both directions."""
    first = MessageFactory(sender=user, recipient=other, content=text)
    more = [
        Message(
            sender=other if number % 3 else user,
            recipient=user if number % 3 else other,
            conversation=first.conversation,
            content=text,
        )
        for number in range(1, count)
    ]
    made = Message.objects.bulk_create(more, batch_size=50)
    return [first.pk, *(message.pk for message in made)]


def walk(client: APIClient, url: str, rel: str, **headers: Any) -> Iterator[list[dict[str, Any]]]:
    at: str | None = url
    while at:
        answer = client.get(at, **headers)
        assert answer.status_code == 200, answer.content[:500]
        assert len(answer.content) <= LARGEST
        assert answer.json()
        yield answer.json()
        at = links(answer).get(rel)


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_the_newest_stay_and_next_visits_every_item_once(
    as_user: ApiClient, alice: User, bob: User, text: str
) -> None:
    made = fill(alice, bob, text, 260)

    pages = list(walk(as_user(alice), "/messages?limit=500", "next"))

    assert [item["id"] for page in reversed(pages) for item in page] == made
    assert len(pages) > 1
    assert all(item["content"] == text for page in pages for item in page)


@pytest.mark.parametrize("text", [TEXTS["control characters"], TEXTS["emoji"]], ids=["control", "emoji"])
@pytest.mark.parametrize("limit", [100, 500])
def test_a_page_holds_as_much_as_fits(
    as_user: ApiClient, alice: User, bob: User, text: str, limit: int
) -> None:
    fill(alice, bob, text, 90)

    answer = as_user(alice).get(f"/messages?limit={limit}")

    one = len(as_user(alice).get("/messages?limit=1").content)
    assert LARGEST - one < len(answer.content) <= LARGEST


@pytest.mark.parametrize("path", ["/messages", "/messages/sent", "/auth/conversations/{}/messages"])
def test_what_is_nearest_to_the_cursor_stays_on_both_sides_of_it(
    as_user: ApiClient, alice: User, bob: User, path: str
) -> None:
    fill(alice, bob, TEXTS["control characters"], 150)
    client = as_user(alice)
    path = path.format(Message.objects.earliest("pk").conversation_id)
    messages = Message.objects.filter(sender=alice) if path.endswith("sent") else Message.objects.all()
    made = list(messages.order_by("pk").values_list("pk", flat=True))
    middle = made[len(made) // 2]
    older, newer = [pk for pk in made if pk < middle], [pk for pk in made if pk > middle]

    back = [
        [item["id"] for item in page] for page in walk(client, f"{path}?limit=140&before={middle}", "next")
    ]
    forth = [
        [item["id"] for item in page] for page in walk(client, f"{path}?limit=140&after={middle}", "prev")
    ]

    assert [pk for page in reversed(back) for pk in page] == older
    assert [pk for page in forth for pk in page] == newer
    for query, rels in ((f"before={middle}", {"prev"}), (f"after={middle}", {"next"})):
        answer = client.get(f"{path}?limit=140&{query}")
        assert set(links(answer)) >= rels
        shown = [item["id"] for item in answer.json()]
        assert len(shown) < 140
        again = client.get(links(answer)[rels.pop()])
        seen = [item["id"] for item in again.json()]
        assert not set(seen) & set(shown)
        assert middle in seen


def test_a_page_that_skips_leads_to_both_sides_of_what_it_holds(
    as_user: ApiClient, alice: User, bob: User
) -> None:
    made = fill(alice, bob, TEXTS["control characters"], 100)
    client = as_user(alice)

    answer = client.get("/messages?limit=90&skip=5")
    shown = [item["id"] for item in answer.json()]

    assert shown == made[95 - len(shown) : 95]
    assert len(shown) < 90
    assert [item["id"] for item in client.get(links(answer)["prev"]).json()] == made[95:]
    assert client.get(links(answer)["next"]).json()[-1]["id"] == made[94 - len(shown)]


def test_reports_end_early_too(as_user: ApiClient, alice: User) -> None:
    ReportFactory.create_batch(60, reporter=alice, content=TEXTS["control characters"])
    newest_first = list(Report.objects.order_by("-pk").values_list("pk", flat=True))

    pages = list(walk(as_user(alice), "/reports", "next"))

    assert len(pages) == 2
    assert [item["id"] for page in pages for item in page] == newest_first


def test_an_answer_that_the_client_wants_indented_is_no_larger(
    as_user: ApiClient, alice: User, bob: User
) -> None:
    made = fill(alice, bob, TEXTS["control characters"], 60)

    pages = list(walk(as_user(alice), "/messages", "next", HTTP_ACCEPT="application/json; indent=8"))

    assert [item["id"] for page in reversed(pages) for item in page] == made


def sessions(user: User, count: int) -> str:
    SessionFactory.create_batch(count, user=user, device_info="\x01" * 255)
    return "/auth/sessions"


def blocks(user: User, count: int) -> str:
    for _ in range(count):
        user.blocks.create(blocked=UserFactory())
    return "/auth/blocks"


def conversations(user: User, count: int) -> str:
    for _ in range(count):
        MessageFactory(sender=UserFactory(), recipient=user, content="\x01" * 200)
    return "/auth/conversations"


@pytest.mark.parametrize("make", [sessions, blocks, conversations])
def test_lists_of_small_items_end_early_as_well(
    as_user: ApiClient, alice: User, monkeypatch: pytest.MonkeyPatch, make: Callable[[User, int], str]
) -> None:
    client = as_user(alice)
    path = make(alice, 12)
    whole = client.get(path).json()
    largest = len(client.get(f"{path}?limit=4").content)
    monkeypatch.setattr(pagination, "MAX_BYTES", largest)

    answer = client.get(path)
    shown = list(answer.json())
    assert 0 < len(shown) < len(whole)
    assert len(answer.content) <= largest
    while following := links(answer).get("next"):
        answer = client.get(following)
        assert len(answer.content) <= largest
        shown += answer.json()
    assert shown == whole


@pytest.mark.parametrize("count", [pagination.CHUNK - 1, pagination.CHUNK, 2 * pagination.CHUNK, 300])
@pytest.mark.parametrize("limit", [pagination.CHUNK - 1, pagination.CHUNK, 2 * pagination.CHUNK, 299, 500])
def test_a_page_of_several_chunks_is_whole(
    as_user: ApiClient, alice: User, bob: User, count: int, limit: int
) -> None:
    made = fill(alice, bob, "Hello", count)
    client = as_user(alice)

    newest = client.get(f"/messages?limit={limit}")
    oldest = client.get(f"/messages?limit={limit}&after=0")
    skipping = client.get(f"/messages?limit={limit}&skip=1")

    assert [item["id"] for item in newest.json()] == made[-limit:]
    assert [item["id"] for item in oldest.json()] == made[:limit]
    assert [item["id"] for item in skipping.json()] == made[:-1][-limit:]
    assert ("next" in links(newest), "prev" in links(oldest)) == (count > limit, count > limit)


@pytest.mark.parametrize("path", ["/messages", "/auth/conversations/{}/messages"])
def test_no_more_is_read_at_a_time_than_a_chunk(
    as_user: ApiClient, alice: User, bob: User, path: str
) -> None:
    fill(alice, bob, TEXTS["control characters"], 300)
    client = as_user(alice)
    path = path.format(Message.objects.earliest("pk").conversation_id)

    with CaptureQueriesContext(connection) as captured:
        client.get(f"{path}?limit=500")

    read = [query["sql"] for query in captured if "messaging_message" in query["sql"]]
    branches = 2 if path == "/messages" and connection.vendor == "sqlite" else 1
    assert len(read) == branches
    assert all("LIMIT 128" in sql for sql in read)


@pytest.mark.parametrize("path", ["/messages", "/reports", "/auth/conversations"])
def test_no_skip_goes_with_a_cursor(as_user: ApiClient, alice: User, bob: User, path: str) -> None:
    MessageFactory(sender=alice, recipient=bob)
    ReportFactory(reporter=alice)
    client = as_user(alice)

    for query in ("skip=0", f"skip=0&before={2**63 - 1}", "skip=0&after=0", "skip=00&limit=100&after=0"):
        answer = client.get(f"{path}?{query}")
        assert (answer.status_code, len(answer.json())) == (200, 1)
    for cursor in ("before=5", "after=5"):
        assert_problem(client.get(f"{path}?skip=1&{cursor}"), 400)
    assert_problem(client.get(f"{path}?before=9&after=1"), 400)


def test_the_directory_takes_no_skip_beside_its_cursor_either(as_user: ApiClient, alice: User) -> None:
    for name in ("boa", "bob", "boc"):
        UserFactory(username=name)
    client = as_user(alice)

    answer = client.get("/auth/directory?search=bo&skip=0&after=boa")

    assert [person["username"] for person in answer.json()] == ["bob", "boc"]
    assert_problem(client.get("/auth/directory?search=bo&skip=1&after=boa"), 400)


def test_the_description_gives_skip_no_default(client: APIClient) -> None:
    described = client.get("/openapi.json").json()["paths"]

    skips = [
        parameter
        for path in described.values()
        for operation in path.values()
        for parameter in operation.get("parameters", [])
        if parameter["name"] == "skip"
    ]
    assert len(skips) >= 8
    assert not [parameter for parameter in skips if "default" in parameter["schema"]]
