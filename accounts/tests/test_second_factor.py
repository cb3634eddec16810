"""Turning the second factor on and off, and what shows whether it is on."""

import re
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from pytest_django import Settings
from rest_framework.test import APIClient
from time_machine import TimeMachineFixture

from accounts.models import RecoveryCode, SecondFactor, Session, User
from accounts.tests.factors import Phone, enrol, finish, log_in, login_token
from aimessage.tests.asserts import assert_problem
from conftest import ApiClient
from tests.factories import PASSWORD

NOON = datetime(2026, 5, 4, 12, 0, 10, tzinfo=UTC)
PROOF = {"current_password": PASSWORD}
TOTP, CONFIRM = "/auth/second-factor/totp", "/auth/second-factor/totp/confirm"
RENEW, REMOVE = "/auth/second-factor/recovery-codes", "/auth/second-factor/remove"


@pytest.fixture(autouse=True)
def _noon(time_machine: TimeMachineFixture) -> None:
    time_machine.move_to(NOON, tick=False)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    kinds: list[Any] = []
    for module in ("accounts.services.second_factor", "accounts.services.users"):
        monkeypatch.setattr(f"{module}.notify", lambda user, kind, **more: kinds.append(kind))
    return kinds


def begin(me: APIClient) -> Phone:
    answer = me.post(TOTP, PROOF)
    assert answer.status_code == 200, answer.content
    return Phone(answer.json()["secret"])


def test_it_begins_with_a_secret_for_the_app(as_user: ApiClient, alice: User) -> None:
    body = as_user(alice).post(TOTP, PROOF).json()

    assert set(body) == {"secret", "uri", "qr_svg"}
    assert re.fullmatch(r"[A-Z2-7]{32}", body["secret"])
    uri = urlsplit(body["uri"])
    assert (uri.scheme, uri.netloc, uri.path) == ("otpauth", "totp", "/AI%20Messaging:alice")
    assert parse_qs(uri.query) == {"secret": [body["secret"]], "issuer": ["AI Messaging"]}
    assert body["qr_svg"].startswith("<svg")
    assert "script" not in body["qr_svg"]


@pytest.mark.parametrize(
    ("leaves", "verification", "verified", "status"),
    [
        (True, "optional", False, 403),
        (True, "required", False, 403),
        (True, "off", False, 200),
        (True, "optional", True, 200),
        (False, "optional", False, 200),
    ],
)
def test_the_address_is_verified_first_where_mail_reaches_people(
    as_user: ApiClient,
    alice: User,
    settings: Settings,
    leaves: bool,
    verification: str,
    verified: bool,
    status: int,
) -> None:
    settings.MAIL_LEAVES, settings.EMAIL_VERIFICATION = leaves, verification
    User.objects.update(email_verified_at=NOON if verified else None)

    answer = as_user(alice).post(TOTP, PROOF)

    assert answer.status_code == status
    assert SecondFactor.objects.exists() == (status == 200)
    if status == 403:
        assert_problem(answer, 403, "Verify your e-mail address first", code="email_unverified")


def test_until_it_is_confirmed_nothing_changes(client: APIClient, as_user: ApiClient, alice: User) -> None:
    begin(as_user(alice))

    assert log_in(client).status_code == 200


def test_the_first_code_turns_it_on(
    client: APIClient, as_user: ApiClient, alice: User, told: list[Any]
) -> None:
    me = as_user(alice)
    phone = begin(me)

    answer = me.post(CONFIRM, {"code": phone.code()})

    assert answer.status_code == 200
    codes = answer.json()["recovery_codes"]
    assert len(set(codes)) == len(codes) == 10
    assert all(re.fullmatch(r"[BCDFGHJKLMNPQRSTVWXZ]{5}-[BCDFGHJKLMNPQRSTVWXZ]{5}", code) for code in codes)
    assert told == ["second_factor_on"]
    assert_problem(log_in(client), 403, "Two-factor code required")
    # What confirmed it is used up.
    assert_problem(log_in(client, code=phone.code()), 401, "Incorrect code")
    assert log_in(client, code=phone.code(1)).status_code == 200


def test_then_every_other_session_ends(as_user: ApiClient, alice: User, bob: User) -> None:
    me, laptop, other = as_user(alice), as_user(alice), as_user(bob)

    me.post(CONFIRM, {"code": begin(me).code()})

    assert list(Session.objects.live().filter(user=alice)) == [me.session_row]
    assert_problem(laptop.get("/auth/me"), 401)
    assert other.get("/auth/me").status_code == 200


def test_a_wrong_code_does_not_confirm(client: APIClient, as_user: ApiClient, alice: User) -> None:
    me = as_user(alice)
    phone = begin(me)

    body = assert_problem(me.post(CONFIRM, {"code": phone.wrong()}), 400, "Incorrect code")

    assert body["codes"] == {"code": ["wrong_code"]}
    assert log_in(client).status_code == 200
    assert me.post(CONFIRM, {"code": phone.code()}).status_code == 200


def test_wrong_codes_while_confirming_are_limited(as_user: ApiClient, alice: User) -> None:
    me = as_user(alice)
    phone = begin(me)
    for _ in range(10):
        assert_problem(me.post(CONFIRM, {"code": phone.wrong()}), 400)

    assert_problem(me.post(CONFIRM, {"code": phone.code()}), 429, code="locked_out")


def test_there_may_be_nothing_to_confirm(as_user: ApiClient, alice: User, bob: User) -> None:
    phone = begin(as_user(bob))

    assert_problem(as_user(alice).post(CONFIRM, {"code": phone.code()}), 404)


@pytest.mark.parametrize(("minutes", "status"), [(14, 200), (16, 404)])
def test_a_secret_waits_a_quarter_of_an_hour(
    as_user: ApiClient, alice: User, time_machine: TimeMachineFixture, minutes: int, status: int
) -> None:
    me = as_user(alice)
    phone = begin(me)
    time_machine.shift(minutes * 60)

    assert me.post(CONFIRM, {"code": phone.code()}).status_code == status


def test_a_new_secret_replaces_one_that_was_not_confirmed(as_user: ApiClient, alice: User) -> None:
    me = as_user(alice)
    first, second = begin(me), begin(me)

    assert_problem(me.post(CONFIRM, {"code": first.code()}), 400, "Incorrect code")
    assert me.post(CONFIRM, {"code": second.code()}).status_code == 200


@pytest.mark.parametrize("with_code", [True, False])
def test_it_cannot_be_turned_on_twice(as_user: ApiClient, alice: User, with_code: bool) -> None:
    phone, _ = enrol(alice)
    code = {"code": phone.code()} if with_code else {}
    me = as_user(alice)

    assert_problem(me.post(TOTP, {**PROOF, **code}), 409, "Two-factor login is on already")
    assert_problem(me.post(CONFIRM, {"code": phone.code()}), 404)


def test_new_recovery_codes_end_the_old_ones(client: APIClient, as_user: ApiClient, alice: User) -> None:
    phone, old = enrol(alice)

    answer = as_user(alice).post(RENEW, {**PROOF, "code": phone.code()})

    new = answer.json()["recovery_codes"]
    assert len(set(new) - set(old)) == 10
    assert_problem(log_in(client, recovery_code=old[0]), 401)
    assert log_in(client, recovery_code=new[0]).status_code == 200


def test_it_is_turned_off(client: APIClient, as_user: ApiClient, alice: User, told: list[Any]) -> None:
    phone, _ = enrol(alice)
    me, laptop = as_user(alice), as_user(alice)
    token = login_token(client)
    told.clear()

    answer = me.post(REMOVE, {**PROOF, "code": phone.code()})

    assert answer.status_code == 200
    assert answer.json() == {"message": "Two-factor login is off"}
    assert told == ["second_factor_off"]
    assert me.get("/auth/me").status_code == 200
    assert_problem(laptop.get("/auth/me"), 401)
    assert_problem(finish(client, token, code=phone.code(1)), 401, "Log in again")
    assert log_in(client).status_code == 200
    assert not SecondFactor.objects.exists()
    assert not RecoveryCode.objects.exists()


@pytest.mark.parametrize("path", [RENEW, REMOVE])
def test_what_is_off_is_not_found(as_user: ApiClient, alice: User, path: str) -> None:
    me = as_user(alice)
    begin(me)

    assert_problem(me.post(path, PROOF), 404)


def test_it_shows_what_is_on(as_user: ApiClient, alice: User) -> None:
    me = as_user(alice)
    off = me.get("/auth/security").json()
    phone, codes = enrol(alice)
    me = as_user(alice)
    me.post(RENEW, {**PROOF, "recovery_code": codes[0]})
    log_in(APIClient(), code=phone.code())

    assert off == {
        "email_verified_at": None,
        "email_pending": None,
        "has_password": True,
        "totp_since": None,
        "recovery_codes_left": 0,
        "tokens": 0,
        "deletion_at": None,
    }
    assert me.get("/auth/security").json() == {
        **off, "totp_since": "2026-05-04T12:00:10.000000Z", "recovery_codes_left": 10,
    }  # fmt: skip
    assert len(codes) == 10


def test_it_shows_what_else_there_is(
    as_user: ApiClient, as_program: ApiClient, alice: User, bob: User
) -> None:
    me = as_user(alice)
    as_program(alice, "profile:read")
    as_program(bob, "profile:read")
    dead = as_program(alice, "profile:read").token_row
    me.delete(f"/auth/tokens/{dead.pk}")
    User.objects.filter(pk=alice.pk).update(email_verified_at=NOON)
    me.put("/auth/me/email", {"email": "alice@new.example", **PROOF})

    found = me.get("/auth/security").json()

    assert found["email_verified_at"] == "2026-05-04T12:00:10.000000Z"
    assert (found["email_pending"], found["has_password"]) == ("alice@new.example", True)
    assert (found["tokens"], found["deletion_at"]) == (1, None)
    User.objects.filter(pk=alice.pk).update(password="!", email_pending=None)
    found = me.get("/auth/security").json()
    assert (found["email_pending"], found["has_password"]) == (None, False)


def test_a_used_recovery_code_is_not_left(as_user: ApiClient, alice: User) -> None:
    _, codes = enrol(alice)
    log_in(APIClient(), recovery_code=codes[0])

    assert as_user(alice).get("/auth/security").json()["recovery_codes_left"] == 9


def test_a_new_password_is_told_by_mail(as_user: ApiClient, alice: User, told: list[Any]) -> None:
    as_user(alice).put("/auth/me/password", {**PROOF, "new_password": "amber-kettle-77"})

    assert told == ["password_changed"]


@pytest.mark.parametrize("value", [None, True, 123456, [], {}, "", "1" * 65])
def test_what_is_no_code_does_not_confirm(as_user: ApiClient, alice: User, value: Any) -> None:
    me = as_user(alice)
    begin(me)

    assert set(assert_problem(me.post(CONFIRM, {"code": value}), 400)["errors"]) == {"code"}
