"""POST /auth/deletion/cancel: staying after all."""

from typing import Any

import pytest
from pytest_django import Settings
from rest_framework.test import APIClient
from time_machine import TimeMachineFixture

from accounts.models import FailedLogin, PendingDeletion, SecondFactor, Session, User
from accounts.services.leaving import (
    cancel_deletion,
    request_deletion,
    withdraw_deletion,
)
from accounts.tests.factors import enrol, finish
from accounts.tests.leaving import CANCEL, DELETE, LOGIN, PROOF, REFUSED, later
from accounts.tests.mailbox import deliver, undo_token
from aimessage.api.problems import Conflict
from aimessage.jobs.models import Job
from aimessage.mail.models import Mail
from aimessage.tests.asserts import assert_problem
from conftest import ApiClient
from tests.factories import PASSWORD, BlockFactory, ReportFactory, UserFactory

pytestmark = pytest.mark.django_db


def test_the_account_stays_with_its_password(client: APIClient, as_user: ApiClient, alice: User) -> None:
    before = User.objects.values().get()
    session = as_user(alice)
    request_deletion(alice, erases=True)

    answer = client.post(CANCEL, LOGIN)

    assert answer.status_code == 200
    assert answer.json() == {"message": "Account will stay"}
    assert PendingDeletion.objects.count() == 0
    after = User.objects.values().get()
    apart = {"updated_at", "admin_epoch", "last_login"}
    assert {k: v for k, v in after.items() if k not in apart} == {
        k: v for k, v in before.items() if k not in apart
    }
    assert_problem(session.get("/auth/me"), 401)
    assert client.post("/auth/login", LOGIN).status_code == 200


def test_the_account_stays_by_the_token_of_the_mail_once(client: APIClient, alice: User) -> None:
    request_deletion(alice, erases=False)
    token = undo_token()
    assert token not in str(PendingDeletion.objects.values().get())

    for wrong in ("", "x", token[:-1], "é" * 5000):
        answer = client.post(CANCEL, {"token": wrong})
        assert_problem(answer, 401, "Link or code is invalid or expired", code="invalid_token")
    assert client.post(CANCEL, {"token": token}).status_code == 200
    assert client.post("/auth/login", LOGIN).status_code == 200
    assert client.post(CANCEL, {"token": token}).status_code == 401


def test_a_token_of_an_earlier_deletion_is_dead(client: APIClient, alice: User) -> None:
    request_deletion(alice, erases=False)
    token = undo_token()
    cancel_deletion(alice, by=alice.pk)
    alice.refresh_from_db()
    request_deletion(alice, erases=False)

    assert client.post(CANCEL, {"token": token}).status_code == 401
    newer = undo_token()
    assert client.post(CANCEL, {"token": token}).status_code == 401
    assert client.post(CANCEL, {"token": newer}).status_code == 200


def test_a_mail_about_a_deletion_that_was_withdrawn_is_not_sent(alice: User) -> None:
    request_deletion(alice, erases=False)
    cancel_deletion(alice, by=alice.pk)
    assert deliver() == []

    for _ in range(2):
        alice.refresh_from_db()
        request_deletion(alice, erases=False)
        cancel_deletion(alice, by=alice.pk)
    alice.refresh_from_db()
    request_deletion(alice, erases=False)
    assert len(deliver()) == 1


def test_a_second_try_of_the_mail_carries_the_same_link(client: APIClient, alice: User) -> None:
    request_deletion(alice, erases=False)
    first = undo_token()
    Mail.objects.update(state="waiting")
    Job.objects.update(status="READY")

    assert undo_token() == first
    assert client.post(CANCEL, {"token": first}).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        {"username": "alice", "password": "wrong"},
        {"username": "nobody", "password": PASSWORD},
        {"username": "bob", "password": PASSWORD},  # who is not to be deleted
        {"username": "dan", "password": PASSWORD},  # nor is he, who is disabled
        {"username": "a" * 500, "password": PASSWORD},
    ],
)
def test_anything_else_is_one_401(client: APIClient, alice: User, bob: User, body: dict[str, str]) -> None:
    UserFactory(username="dan", is_active=False)
    request_deletion(alice, erases=False)

    for _ in range(2):
        answer = client.post(CANCEL, body)
        assert_problem(answer, 401, REFUSED, code="invalid_credentials")
    assert FailedLogin.objects.count() == (0 if len(body["username"]) > 400 else 2)
    assert PendingDeletion.objects.count() == 1


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, {"username", "password"}),
        ({"token": None}, {"username", "password"}),
        ({"username": "alice"}, {"password"}),
        ({"password": PASSWORD}, {"username"}),
        ({"username": None, "password": PASSWORD}, {"username"}),
        ({"token": 7}, {"token"}),
        ({"username": ["alice"], "password": PASSWORD}, {"username"}),
    ],
)
def test_something_has_to_be_given(
    client: APIClient, alice: User, body: dict[str, Any], fields: set[str]
) -> None:
    request_deletion(alice, erases=False)

    assert set(assert_problem(client.post(CANCEL, body), 400)["errors"]) == fields


def test_guesses_lock_out_here_as_at_the_login(client: APIClient, alice: User) -> None:
    request_deletion(alice, erases=False)
    wrong = {**LOGIN, "password": "wrong"}

    answers = [client.post(url, wrong).status_code for url in (CANCEL, "/auth/login", CANCEL, CANCEL)]

    assert answers == [401] * 4
    assert client.post(CANCEL, wrong).status_code in {401, 429}
    assert_problem(client.post(CANCEL, LOGIN), 429)
    assert_problem(client.post("/auth/login", LOGIN), 429)


def test_a_second_factor_is_asked_for_as_at_a_login(client: APIClient, alice: User) -> None:
    phone, _ = enrol(alice)
    request_deletion(alice, erases=False)

    body = assert_problem(client.post(CANCEL, LOGIN), 403, "Two-factor code required")
    assert body["code"] == "second_factor_required"
    wrong = client.post(CANCEL, {**LOGIN, "code": phone.wrong()})
    assert_problem(wrong, 401, "Incorrect code", code="wrong_code")
    assert FailedLogin.objects.count() == 1
    assert client.post(CANCEL, {**LOGIN, "password": "wrong", "code": phone.code()}).status_code == 401
    assert PendingDeletion.objects.count() == 1

    assert client.post(CANCEL, {**LOGIN, "code": phone.code()}).status_code == 200
    assert PendingDeletion.objects.count() == 0


def test_wrong_codes_shut_here_as_at_a_login(client: APIClient, alice: User, settings: Settings) -> None:
    phone, codes = enrol(alice)
    request_deletion(alice, erases=False)
    for _ in range(5):
        client.post(CANCEL, {**LOGIN, "code": phone.wrong()})
    assert_problem(client.post(CANCEL, {**LOGIN, "code": phone.code()}), 429)

    settings.LOCKOUT_FAILURES = 0
    SecondFactor.objects.update(failures=50)
    shut = assert_problem(client.post(CANCEL, {**LOGIN, "code": phone.code()}), 403)
    assert shut["code"] == "reset_required"

    SecondFactor.objects.update(failures=0)
    assert client.post(CANCEL, {**LOGIN, "recovery_code": codes[0]}).status_code == 200


def test_no_half_finished_login_opens_what_is_to_be_deleted(client: APIClient, alice: User) -> None:
    phone, _ = enrol(alice)
    request_deletion(alice, erases=False)
    token = client.post(CANCEL, LOGIN).json()["login_token"]

    assert_problem(finish(client, token, code=phone.code()), 401, "Log in again")


def test_its_personal_tokens_stay_dead(
    client: APIClient, as_user: ApiClient, as_program: ApiClient, alice: User
) -> None:
    program = as_program(alice, "profile:read")
    as_user(alice).post(DELETE, PROOF)
    assert program.get("/auth/me").status_code == 401

    assert client.post(CANCEL, LOGIN).status_code == 200
    assert program.get("/auth/me").status_code == 401
    assert not Session.objects.live().exists()


def test_when_its_time_has_come_it_cannot_stay(
    client: APIClient, alice: User, time_machine: TimeMachineFixture
) -> None:
    request_deletion(alice, erases=True)
    token = undo_token()
    later(time_machine, days=14)

    assert_problem(client.post(CANCEL, LOGIN), 401, REFUSED)
    assert_problem(client.post(CANCEL, {"token": token}), 401)
    with pytest.raises(Conflict):
        cancel_deletion(alice, by=alice.pk)
    assert_problem(client.post("/auth/login", LOGIN), 403)


def test_only_a_pending_one_is_withdrawn(alice: User, superuser: User) -> None:
    with pytest.raises(Conflict):
        withdraw_deletion(alice, actor=superuser)
    alice.refresh_from_db()
    assert alice.is_active


def test_blocks_and_reports_stay_as_they_were(
    client: APIClient, as_user: ApiClient, alice: User, bob: User
) -> None:
    BlockFactory(blocker=alice, blocked=bob)
    ReportFactory(reporter=alice)
    request_deletion(alice, erases=True)
    client.post(CANCEL, LOGIN)

    me = as_user(User.objects.get(pk=alice.pk))
    assert len(me.get("/auth/blocks").json()) == len(me.get("/reports").json()) == 1
