"""What an operation that needs proof asks for again: the password, and the code where there is one."""

from datetime import UTC, datetime
from typing import Any

import pytest
from pytest_django import Settings
from rest_framework.test import APIClient
from time_machine import TimeMachineFixture

from accounts.models import FailedLogin, PendingDeletion, PersonalToken, SecondFactor, User
from accounts.tests.factors import enrol, log_in
from aimessage.mail.models import Mail
from aimessage.tests.asserts import assert_problem
from conftest import ApiClient
from tests.factories import PASSWORD

NOON = datetime(2026, 5, 4, 12, 0, 10, tzinfo=UTC)
PROOF = {"current_password": PASSWORD}
Route = tuple[str, str]
TOTP = ("post", "/auth/second-factor/totp")
#: What each takes besides the proof, and what it answers then.
PROVED: dict[Route, tuple[dict[str, Any], int]] = {
    ("post", "/auth/second-factor/recovery-codes"): ({}, 200),
    ("post", "/auth/second-factor/remove"): ({}, 200),
    ("put", "/auth/me/password"): ({"new_password": "amber-kettle-77"}, 200),
    ("put", "/auth/me/email"): ({"email": "alice@new.example"}, 202),
    ("post", "/auth/tokens"): ({"name": "Backup", "scopes": ["messages:read"]}, 201),
    ("post", "/auth/me/export"): ({}, 200),
    ("post", "/auth/me/delete"): ({}, 202),
}
#: One more, which is refused before any code is looked at once the factor is on.
ROUTES = {**PROVED, TOTP: ({}, 200)}
#: Those that do something for an account without a second factor.
WITHOUT_FACTOR = {route: ROUTES[route] for route in [*list(PROVED)[2:], TOTP]}

routes = pytest.mark.parametrize("route", ROUTES, ids=lambda route: route[1])
proved = pytest.mark.parametrize("route", PROVED, ids=lambda route: route[1])
without_factor = pytest.mark.parametrize("route", WITHOUT_FACTOR, ids=lambda route: route[1])


@pytest.fixture(autouse=True)
def _noon(time_machine: TimeMachineFixture) -> None:
    time_machine.move_to(NOON, tick=False)


def ask(me: APIClient, route: Route, **proof: Any) -> Any:
    method, path = route
    return getattr(me, method)(path, {**ROUTES[route][0], **proof})


def assert_nothing_done(alice: User) -> None:
    before = alice.password, alice.email, alice.is_active, None
    alice.refresh_from_db()
    assert (alice.password, alice.email, alice.is_active, alice.email_pending) == before
    assert not any(model.objects.exists() for model in (PersonalToken, PendingDeletion, Mail))


@routes
def test_the_password_is_asked_for(as_user: ApiClient, alice: User, route: Route) -> None:
    phone = None if route == TOTP else enrol(alice)[0]
    me = as_user(alice)
    code = {"code": phone.code()} if phone else {}

    wrong = assert_problem(ask(me, route, current_password="wrong-password-9", **code), 400)
    missing = assert_problem(ask(me, route, **code), 400)

    assert wrong["codes"] == {"current_password": ["wrong_password"]}
    assert wrong["errors"] == {"current_password": ["Current password is incorrect"]}
    assert missing["codes"] == {"current_password": ["required"]}
    assert [row.user for row in FailedLogin.objects.all()] == [alice]
    assert_nothing_done(alice)
    # The code was not used up.
    assert ask(me, route, **PROOF, **code).status_code == ROUTES[route][1]
    assert not FailedLogin.objects.exists()


@proved
@pytest.mark.parametrize("missing", [{}, {"code": None}, {"code": ""}, {"recovery_code": ""}])
def test_the_code_is_asked_for(
    as_user: ApiClient, alice: User, route: Route, missing: dict[str, Any]
) -> None:
    phone, codes = enrol(alice)
    log_in(APIClient(), recovery_code=codes[9])
    me = as_user(alice)

    used = {"recovery_code": codes[9]}
    for proof in ({"code": phone.wrong()}, {"recovery_code": "BCDFG-HJKLM"}, used, missing):
        body = assert_problem(ask(me, route, **PROOF, **proof), 400, "Incorrect code")
        assert (body["errors"], body["codes"]) == ({"code": ["Incorrect code"]}, {"code": ["wrong_code"]})

    assert FailedLogin.objects.count() == 4
    assert SecondFactor.objects.get(user=alice).failures == 3  # a missing one is no guess
    assert_nothing_done(alice)


@proved
@pytest.mark.parametrize("kind", ["code", "recovery_code"])
def test_either_kind_of_code_proves(as_user: ApiClient, alice: User, route: Route, kind: str) -> None:
    phone, codes = enrol(alice)
    code = {kind: phone.code() if kind == "code" else codes[0]}

    assert ask(as_user(alice), route, **PROOF, **code).status_code == PROVED[route][1]


@proved
def test_a_code_of_a_login_proves_nothing_more(
    client: APIClient, as_user: ApiClient, alice: User, route: Route
) -> None:
    phone, _ = enrol(alice)
    log_in(client, code=phone.code())

    assert_problem(ask(as_user(alice), route, **PROOF, code=phone.code()), 400, "Incorrect code")


@proved
@pytest.mark.parametrize("value", [123456, True, [], {}, "1" * 65])
@pytest.mark.parametrize("field", ["code", "recovery_code"])
def test_what_is_no_text_is_no_code(
    as_user: ApiClient, alice: User, route: Route, field: str, value: Any
) -> None:
    enrol(alice)

    problem = assert_problem(ask(as_user(alice), route, **PROOF, **{field: value}), 400)

    assert set(problem["errors"]) == {field}
    assert_nothing_done(alice)


@routes
def test_failed_proofs_lock_out_as_failed_logins(
    client: APIClient, as_user: ApiClient, alice: User, route: Route
) -> None:
    phone = None if route == TOTP else enrol(alice)[0]
    me = as_user(alice)
    for _ in range(2):
        ask(me, route, current_password="wrong-password-9")
        client.post("/auth/login", {"username": "alice", "password": "wrong-password-9"})
    ask(me, route, **(PROOF if phone else {"current_password": ""}))

    code = {"code": phone.code()} if phone else {}
    assert_problem(ask(me, route, **PROOF, **code), 429, code="locked_out")
    assert_problem(log_in(client, **code), 429, code="locked_out")
    assert_nothing_done(alice)


@routes
def test_proofs_are_throttled_as_logins(
    as_user: ApiClient, alice: User, settings: Settings, route: Route
) -> None:
    settings.THROTTLE_RATES = {**settings.THROTTLE_RATES, "login": (1, 60)}
    me = as_user(alice)
    ask(me, route)

    assert_problem(ask(me, route), 429, code="throttled")


@proved
def test_after_ten_wrong_codes_no_proof_is_looked_at(
    as_user: ApiClient, alice: User, settings: Settings, route: Route
) -> None:
    settings.LOCKOUT_FAILURES = 0
    phone, _ = enrol(alice)
    me = as_user(alice)
    for _ in range(10):
        assert_problem(ask(me, route, **PROOF, code=phone.wrong()), 400)

    assert_problem(ask(me, route, **PROOF, code=phone.code()), 429, code="locked_out")


@proved
def test_after_fifty_wrong_codes_nothing_is_proved(as_user: ApiClient, alice: User, route: Route) -> None:
    phone, _ = enrol(alice)
    SecondFactor.objects.filter(user=alice).update(failures=50)

    answer = ask(as_user(alice), route, **PROOF, code=phone.code())

    assert_problem(answer, 403, "Too many wrong codes: reset your password", code="reset_required")
    assert_nothing_done(alice)


def test_proof_that_succeeds_forgives(as_user: ApiClient, alice: User) -> None:
    phone, _ = enrol(alice)
    me = as_user(alice)
    export = ("post", "/auth/me/export")
    ask(me, export, current_password="wrong-password-9")
    ask(me, export, **PROOF)
    assert FailedLogin.objects.count() == 2

    ask(me, export, **PROOF, code=phone.code())

    assert not FailedLogin.objects.exists()


# --- An account without a password ---


@pytest.fixture
def own(alice: User) -> User:
    alice.set_unusable_password()
    alice.save()
    return alice


@without_factor
@pytest.mark.parametrize("sent", [{}, {"current_password": ""}, {"current_password": "anything"}])
@pytest.mark.parametrize(("seconds", "fresh"), [(600, True), (601, False)])
def test_without_a_password_it_takes_a_fresh_session(
    as_user: ApiClient,
    own: User,
    time_machine: TimeMachineFixture,
    route: Route,
    sent: dict[str, str],
    seconds: int,
    fresh: bool,
) -> None:
    me = as_user(own)
    time_machine.shift(seconds)

    answer = ask(me, route, **sent)

    if fresh:
        assert answer.status_code == WITHOUT_FACTOR[route][1], answer.content
    else:
        assert_problem(answer, 403, "Log in again first", code="session_required")
        assert_nothing_done(own)


@proved
def test_without_a_password_the_code_is_asked_for_all_the_same(
    as_user: ApiClient, own: User, time_machine: TimeMachineFixture, route: Route
) -> None:
    phone, _ = enrol(own)
    me = as_user(own)

    for code in ({}, {"code": phone.wrong()}):
        assert assert_problem(ask(me, route, **code), 400)["codes"] == {"code": ["wrong_code"]}
    assert FailedLogin.objects.count() == 2
    assert_nothing_done(own)
    time_machine.shift(601)
    assert_problem(ask(me, route, code=phone.code()), 403, "Log in again first")

    time_machine.shift(-601)
    assert ask(as_user(own), route, code=phone.code()).status_code == PROVED[route][1]
