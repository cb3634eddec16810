from datetime import UTC, datetime, timedelta

import pytest
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient
from time_machine import TimeMachineFixture

from accounts.models import Session, User
from aimessage.tests.asserts import assert_problem
from conftest import ApiClient
from tests.factories import SessionFactory

NOON = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)


def test_it_lists_the_live_sessions_newest_first(
    as_user: ApiClient, alice: User, bob: User, time_machine: TimeMachineFixture
) -> None:
    time_machine.move_to(NOON, tick=False)
    phone = as_user(alice, device_info="Phone/1.0", ip_address="192.0.2.7")
    laptop, ended, expired = (SessionFactory(user=alice) for _ in range(3))
    Session.objects.filter(pk=ended.pk).update(is_active=False)
    Session.objects.filter(pk=expired.pk).update(expires_at=NOON)
    SessionFactory(user=bob)

    answer = phone.get("/auth/sessions")

    assert answer.status_code == 200
    assert [session["id"] for session in answer.json()] == [laptop.pk, phone.session_row.pk]
    assert [session["is_current"] for session in answer.json()] == [False, True]
    assert answer.json()[1] == {
        "id": phone.session_row.pk,
        "user_id": alice.pk,
        "device_info": "Phone/1.0",
        "ip_address": "192.0.2.7",
        "created_at": "2026-03-01T12:00:00.123456Z",
        "last_used_at": "2026-03-01T12:00:00.123456Z",
        "expires_at": "2026-03-08T12:00:00.123456Z",
        "is_active": True,
        "is_current": True,
    }
    assert (answer.json()[0]["device_info"], answer.json()[0]["ip_address"]) == (None, None)


def test_the_last_use_of_a_session_is_known_to_the_minute(
    as_user: ApiClient, alice: User, time_machine: TimeMachineFixture
) -> None:
    time_machine.move_to(NOON, tick=False)
    client = as_user(alice)

    seen = []
    for seconds in (30, 60, 61, 100):
        time_machine.move_to(NOON + timedelta(seconds=seconds))
        client.get("/auth/me")
        seen.append((Session.objects.get().last_used_at - NOON).total_seconds())

    assert seen == [0, 0, 61, 61]


@pytest.mark.parametrize("others", [1, 30])
def test_the_list_takes_two_queries_however_long_it_is(
    as_user: ApiClient, alice: User, django_assert_num_queries: DjangoAssertNumQueries, others: int
) -> None:
    client = as_user(alice)
    SessionFactory.create_batch(others, user=alice)

    with django_assert_num_queries(2):  # who is it; the page
        assert len(client.get("/auth/sessions").json()) == others + 1


def test_ending_a_session_kills_its_tokens_at_once(as_user: ApiClient, alice: User) -> None:
    phone, laptop = as_user(alice), as_user(alice)

    answer = phone.delete(f"/auth/sessions/{laptop.session_row.pk}")

    assert answer.status_code == 200
    assert answer.json() == {"message": "Session deleted successfully"}
    assert_problem(laptop.get("/auth/me"), 401)
    assert_problem(laptop.post("/auth/refresh", {"refresh_token": laptop.tokens.refresh_token}), 401)
    assert phone.get("/auth/me").status_code == 200
    assert list(Session.objects.live()) == [phone.session_row]


def test_one_may_end_the_session_one_is_in(as_user: ApiClient, alice: User) -> None:
    phone = as_user(alice)

    assert phone.delete(f"/auth/sessions/{phone.session_row.pk}").status_code == 200

    assert_problem(phone.get("/auth/me"), 401)


def test_a_session_of_somebody_else_does_not_exist(as_user: ApiClient, alice: User, mallory: User) -> None:
    victim, attacker = as_user(alice), as_user(mallory)

    foreign = attacker.delete(f"/auth/sessions/{victim.session_row.pk}")
    missing = attacker.delete("/auth/sessions/987654")

    assert_problem(foreign, 404, "Session not found")
    assert foreign.content == missing.content
    assert victim.get("/auth/me").status_code == 200


def test_a_session_that_ended_does_not_exist(as_user: ApiClient, alice: User) -> None:
    phone, laptop = as_user(alice), as_user(alice)
    path = f"/auth/sessions/{laptop.session_row.pk}"

    assert [phone.delete(path).status_code for _ in range(2)] == [200, 404]


@pytest.mark.parametrize(
    "pk", ["0", "-1", "99999999999999999999", "abc", "1.0", "1e3", "%00", "٣", "01", "9" * 500]
)
def test_what_is_no_id_is_404(as_user: ApiClient, alice: User, pk: str) -> None:
    client = as_user(alice)

    answer = client.delete(f"/auth/sessions/{pk}")

    assert_problem(answer, 404, "Session not found")
    assert Session.objects.live().count() == 1


@pytest.mark.parametrize(("method", "path"), [("get", "/auth/sessions"), ("delete", "/auth/sessions/1")])
def test_both_want_a_token(client: APIClient, db: None, method: str, path: str) -> None:
    assert_problem(getattr(client, method)(path), 401, "Not authenticated")
