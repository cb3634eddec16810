"""GET /events."""

import base64
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import User
from aimessage.events.kinds import KINDS, Kind
from aimessage.events.log import record
from aimessage.events.models import Event, State
from aimessage.events.reading import renew_epoch
from aimessage.tests.asserts import assert_problem
from conftest import ApiClient

pytestmark = pytest.mark.django_db
#: PostgreSQL's snapshots leave out what the transaction around a test has written.
committed = pytest.mark.django_db(transaction=True)


def cursor_of(client: Any) -> str:
    return str(client.get("/events").json()["cursor"])


def test_without_a_cursor_there_is_the_cursor_of_now(as_user: ApiClient, alice: User) -> None:
    record("test", [alice.pk], data="before")

    answer = as_user(alice).get("/events")

    assert answer.status_code == 200
    assert answer.json() == {"events": [], "cursor": answer.json()["cursor"], "more": False}
    assert answer["Cache-Control"] == "no-store"


@committed
def test_follows_the_cursor_from_answer_to_answer(as_user: ApiClient, alice: User, bob: User) -> None:
    client = as_user(alice)
    cursor = cursor_of(client)
    for number in range(5):
        record("test", [alice.pk, bob.pk], data={"number": number})
    record("test", [bob.pk], data="not for alice")

    seen, more = [], True
    while more:
        answer = client.get("/events", {"after": cursor, "limit": 2}).json()
        assert len(answer["events"]) <= 2
        seen += answer["events"]
        cursor, more = answer["cursor"], answer["more"]

    assert [event["data"]["number"] for event in seen] == list(range(5))
    assert set(seen[0]) == {"id", "type", "created_at", "data"}
    assert (seen[0]["type"], seen[0]["created_at"][-1]) == ("test", "Z")
    assert len({event["id"] for event in seen}) == 5
    assert all(isinstance(event["id"], str) for event in seen)
    assert client.get("/events", {"after": cursor}).json()["events"] == []


@committed
def test_a_page_has_a_hundred_events_and_no_news(as_user: ApiClient, alice: User) -> None:
    client = as_user(alice)
    cursor = cursor_of(client)
    for number in range(101):
        record("test", [alice.pk], data=number)
    record("typing", [alice.pk], data={"user_id": 5})

    first = client.get("/events", {"after": cursor}).json()
    second = client.get("/events", {"after": first["cursor"]}).json()

    assert [event["data"] for event in first["events"]] == list(range(100))
    assert [event["data"] for event in second["events"]] == [100]
    assert first["more"] is True


@committed
def test_what_its_reader_may_not_see_any_more_is_left_out(
    as_user: ApiClient, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(KINDS, "gone", Kind(lambda rows: {}, None))
    client = as_user(alice)
    cursor = cursor_of(client)
    record("gone", [alice.pk])
    record("unknown kind", [alice.pk])
    record("test", [alice.pk], data="seen")

    events = client.get("/events", {"after": cursor}).json()["events"]

    assert [event["data"] for event in events] == ["seen"]


@committed
def test_an_answer_ends_before_it_grows_too_large(
    as_user: ApiClient, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Texts of 20,000 control characters, six bytes each in JSON."""
    monkeypatch.setitem(KINDS, "large", Kind(lambda rows: {row.id: "\x01" * 20_000 for row in rows}, None))
    client = as_user(alice)
    cursor = cursor_of(client)
    for _ in range(100):
        record("large", [alice.pk])

    ids, more = [], True
    while more:
        answer = client.get("/events", {"after": cursor, "limit": 500})
        assert len(answer.content) <= 4 * 1024 * 1024 + 10_000
        ids += [event["id"] for event in answer.json()["events"]]
        cursor, more = answer.json()["cursor"], answer.json()["more"]

    assert ids == [str(pk) for pk in Event.objects.order_by("pk").values_list("pk", flat=True)]


@pytest.mark.parametrize("after", ["", "x", "0", "AQ==", "é", "A" * 2001, "\x01", "AQAAAAAAAAAAAA"])
def test_what_is_no_cursor_is_refused(as_user: ApiClient, alice: User, after: str) -> None:
    answer = as_user(alice).get("/events", {"after": after})
    assert answer.status_code == 400
    assert list(answer.json()["errors"]) == ["after"]


@pytest.mark.parametrize("limit", ["0", "501", "-1", "ten", "1.5", ""])
def test_a_limit_out_of_range_is_refused(as_user: ApiClient, alice: User, limit: str) -> None:
    assert as_user(alice).get("/events", {"limit": limit}).status_code == 400


def test_a_cursor_older_than_what_is_kept_is_gone(as_user: ApiClient, alice: User, time_machine: Any) -> None:
    client = as_user(alice)
    cursor = cursor_of(client)

    time_machine.move_to(timezone.now() + timedelta(days=3))

    answer = as_user(alice).get("/events", {"after": cursor})
    assert_problem(answer, 410, code="cursor_expired")


def test_a_cursor_of_before_a_restore_is_gone(as_user: ApiClient, alice: User) -> None:
    client = as_user(alice)
    cursor = cursor_of(client)
    assert client.get("/events", {"after": cursor}).status_code == 200

    renew_epoch()

    assert client.get("/events", {"after": cursor}).status_code == 410
    assert State.objects.count() == 1


def test_a_cursor_of_another_database_is_gone(as_user: ApiClient, alice: User) -> None:
    client = as_user(alice)
    text = cursor_of(client)
    packed = bytearray(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    packed[3] ^= 1
    other = base64.urlsafe_b64encode(packed).decode().rstrip("=")

    assert client.get("/events", {"after": other}).status_code == 410


def test_needs_a_login(client: Any) -> None:
    assert client.get("/events").status_code == 401


@committed
def test_an_event_says_when(as_user: ApiClient, alice: User) -> None:
    client = as_user(alice)
    cursor, before = cursor_of(client), timezone.now()
    record("test", [alice.pk])

    (event,) = client.get("/events", {"after": cursor}).json()["events"]

    assert before.isoformat() <= event["created_at"].replace("Z", "+00:00") <= timezone.now().isoformat()
