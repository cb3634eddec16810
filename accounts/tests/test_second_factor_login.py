"""Logging in with a second factor, in one step or two."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pytest_django import Settings
from rest_framework.test import APIClient
from time_machine import TimeMachineFixture

from accounts.models import FailedLogin, PendingDeletion, PendingLogin, SecondFactor, Session, User
from accounts.services.sessions import log_out_everywhere
from accounts.services.users import disable_user, enable_user, set_password
from accounts.tests.factors import Phone, enrol, finish, log_in, login_token
from aimessage.tests.asserts import assert_problem
from tests.factories import PASSWORD

#: In the middle of a step.
NOON = datetime(2026, 5, 4, 12, 0, 10, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _noon(time_machine: TimeMachineFixture) -> None:
    time_machine.move_to(NOON, tick=False)


@pytest.fixture
def phone(alice: User) -> Phone:
    return enrol(alice)[0]


def test_the_right_password_alone_asks_for_a_code(client: APIClient, alice: User, phone: Phone) -> None:
    body = assert_problem(log_in(client), 403, "Two-factor code required")

    assert body["code"] == "second_factor_required"
    assert body["expires_in"] == 300
    assert body["methods"] == ["totp", "recovery_code"]
    assert len(body["login_token"]) == 43
    assert not Session.objects.filter(user=alice).exists()
    assert body["login_token"] not in str(list(PendingLogin.objects.values()))


def test_the_code_finishes_it(client: APIClient, alice: User, phone: Phone) -> None:
    answer = finish(client, login_token(client), code=phone.code())

    assert answer.status_code == 200
    body = answer.json()
    assert set(body) == {"access_token", "refresh_token", "token_type", "user"}
    assert body["user"]["id"] == alice.pk
    me = client.get("/auth/me", HTTP_AUTHORIZATION=f"Bearer {body['access_token']}")
    assert me.status_code == 200


def test_the_code_may_come_with_the_password(client: APIClient, phone: Phone) -> None:
    assert log_in(client, code=phone.code()).status_code == 200


def test_a_wrong_password_says_nothing_of_the_second_factor(client: APIClient, phone: Phone) -> None:
    answer = client.post(
        "/auth/login", {"username": "alice", "password": "wrong-password-9", "code": phone.code()}
    )

    assert_problem(answer, 401, "Incorrect username or password")
    assert log_in(client, code=phone.code()).status_code == 200  # nor is the code used up


@pytest.mark.parametrize("code", [None, ""])
def test_no_code_is_as_good_as_none_given(client: APIClient, phone: Phone, code: Any) -> None:
    assert_problem(log_in(client, code=code, recovery_code=code), 403, "Two-factor code required")


def test_without_a_second_factor_a_code_does_not_matter(client: APIClient, alice: User) -> None:
    assert log_in(client, code="123456").status_code == 200


def test_a_wrong_code_is_refused(client: APIClient, phone: Phone) -> None:
    for answer in (
        log_in(client, code=phone.wrong()),
        finish(client, login_token(client), code=phone.wrong()),
    ):
        assert_problem(answer, 401, "Incorrect code", code="wrong_code")


@pytest.mark.parametrize("steps", [-1, 0, 1])
def test_the_code_before_and_after_count(client: APIClient, phone: Phone, steps: int) -> None:
    assert log_in(client, code=phone.code(steps)).status_code == 200


@pytest.mark.parametrize("steps", [-2, 2, -3, 120])
def test_others_do_not(client: APIClient, phone: Phone, steps: int) -> None:
    assert_problem(log_in(client, code=phone.code(steps)), 401, "Incorrect code")


def test_a_code_works_once(client: APIClient, phone: Phone) -> None:
    code = phone.code()

    assert log_in(client, code=code).status_code == 200
    assert_problem(log_in(client, code=code), 401, "Incorrect code")
    assert_problem(finish(client, login_token(client), code=code), 401, "Incorrect code")


def test_after_a_code_no_earlier_one_works(client: APIClient, phone: Phone) -> None:
    assert log_in(client, code=phone.code(1)).status_code == 200
    assert_problem(log_in(client, code=phone.code()), 401, "Incorrect code")


def test_a_code_may_be_typed_in_groups(client: APIClient, phone: Phone) -> None:
    code = phone.code()

    assert log_in(client, code=f" {code[:3]} {code[3:]}").status_code == 200


@pytest.mark.parametrize(
    "code",
    ["abc", "12345", "1234567", "\uff11\uff12\uff13\uff14\uff15\uff16", "-1", "0x1234", "🔑", "1" * 64],
)
def test_what_is_no_code_is_a_wrong_one(client: APIClient, phone: Phone, code: str) -> None:
    assert_problem(log_in(client, code=code), 401, "Incorrect code")


@pytest.mark.parametrize("value", [123456, True, [], {}, 1.5, "1" * 65])
@pytest.mark.parametrize("field", ["code", "recovery_code"])
def test_what_is_no_text_is_refused(client: APIClient, phone: Phone, field: str, value: Any) -> None:
    assert set(assert_problem(log_in(client, **{field: value}), 400)["errors"]) == {field}
    answer = finish(client, login_token(client), **{field: value})
    assert set(assert_problem(answer, 400)["errors"]) == {field}


def test_the_second_step_needs_a_code(client: APIClient, phone: Phone) -> None:
    body = assert_problem(finish(client, login_token(client)), 400)

    assert body["codes"] == {"code": ["required"]}


@pytest.mark.parametrize("token", ["", "nonsense", "x" * 128])
def test_an_unknown_token_is_refused(client: APIClient, phone: Phone, token: str) -> None:
    answer = finish(client, token, code=phone.code())

    assert answer.status_code == (401 if token else 400)
    assert log_in(client, code=phone.code()).status_code == 200  # the code is not used up


def assert_dead(answer: Any) -> None:
    assert_problem(answer, 401, "Log in again", code="invalid_token")


def test_a_token_works_once(client: APIClient, phone: Phone) -> None:
    token = login_token(client)

    assert finish(client, token, code=phone.code()).status_code == 200
    assert_dead(finish(client, token, code=phone.code(1)))


@pytest.mark.parametrize(("seconds", "works"), [(299, True), (301, False)])
def test_a_token_works_for_five_minutes(
    client: APIClient, phone: Phone, time_machine: TimeMachineFixture, seconds: int, works: bool
) -> None:
    token = login_token(client)
    time_machine.move_to(NOON + timedelta(seconds=seconds), tick=False)

    answer = finish(client, token, code=phone.code())

    assert answer.status_code == (200 if works else 401)


def test_a_token_dies_after_five_wrong_codes(client: APIClient, phone: Phone, settings: Settings) -> None:
    settings.LOCKOUT_FAILURES = 0
    token = login_token(client)
    for _ in range(5):
        assert_problem(finish(client, token, code=phone.wrong()), 401, "Incorrect code")

    assert_dead(finish(client, token, code=phone.code()))
    assert finish(client, login_token(client), code=phone.code()).status_code == 200


def test_a_token_dies_with_the_password(client: APIClient, alice: User, phone: Phone) -> None:
    token = login_token(client)
    User.objects.filter(pk=alice.pk).update(password=User(password="x").password)

    assert_dead(finish(client, token, code=phone.code()))


@pytest.mark.parametrize("end", ["password", "disabled", "disabled for a moment", "logged out"])
def test_what_ends_sessions_ends_half_finished_logins(
    client: APIClient, alice: User, superuser: User, phone: Phone, end: str
) -> None:
    token = login_token(client)
    if end == "password":
        set_password(alice, PASSWORD)
    elif end == "logged out":
        log_out_everywhere(alice)
    else:
        disable_user(alice, actor=superuser)
        if end != "disabled":
            enable_user(alice, actor=superuser)

    assert_dead(finish(client, token, code=phone.code()))


def test_a_disabled_account_is_named_before_a_code_is_asked_for(
    client: APIClient, alice: User, phone: Phone
) -> None:
    User.objects.filter(pk=alice.pk).update(is_active=False)

    assert_problem(log_in(client), 403, "User is disabled")
    assert_problem(log_in(client, code=phone.wrong()), 403, "User is disabled")


def test_what_refuses_a_right_password_is_told_in_one_order(
    client: APIClient, alice: User, phone: Phone, settings: Settings
) -> None:
    settings.EMAIL_VERIFICATION = "required"
    pending = PendingDeletion.objects.create(user=alice, deletion_at=NOON + timedelta(days=14))
    User.objects.update(is_active=False)
    codes = [assert_problem(log_in(client, code=phone.wrong()), 403)["code"]]
    pending.delete()
    codes.append(assert_problem(log_in(client, code=phone.wrong()), 403)["code"])
    User.objects.update(is_active=True)
    codes.append(assert_problem(log_in(client, code=phone.wrong()), 403)["code"])
    User.objects.update(email_verified_at=NOON)
    codes.append(assert_problem(log_in(client), 403)["code"])
    codes.append(assert_problem(log_in(client, code=phone.wrong()), 401)["code"])

    assert codes == [
        *("deletion_pending", "account_disabled", "email_unverified"),
        *("second_factor_required", "wrong_code"),
    ]


def test_a_recovery_code_works_once(client: APIClient, alice: User) -> None:
    _, codes = enrol(alice)

    assert log_in(client, recovery_code=codes[0]).status_code == 200
    assert_problem(log_in(client, recovery_code=codes[0]), 401, "Incorrect code")
    token = login_token(client)
    assert_problem(finish(client, token, recovery_code=codes[0]), 401, "Incorrect code")
    assert finish(client, token, recovery_code=codes[1]).status_code == 200


def test_case_spaces_and_dashes_of_a_recovery_code_do_not_count(client: APIClient, alice: User) -> None:
    _, codes = enrol(alice)

    assert log_in(client, recovery_code=codes[0].lower().replace("-", " ")).status_code == 200
    assert log_in(client, recovery_code=codes[1].replace("-", "")).status_code == 200


def test_nobody_elses_recovery_code_works(client: APIClient, alice: User, bob: User) -> None:
    enrol(alice)
    _, codes = enrol(bob)

    assert_problem(log_in(client, recovery_code=codes[0]), 401, "Incorrect code")


# --- Guessing ---


def test_a_wrong_code_counts_as_a_failed_login(client: APIClient, alice: User, phone: Phone) -> None:
    finish(client, login_token(client), code=phone.wrong())

    assert [row.user for row in FailedLogin.objects.all()] == [alice]


def test_five_failed_second_steps_lock_the_pair_out(client: APIClient, phone: Phone) -> None:
    for _ in range(5):
        assert_problem(log_in(client, code=phone.wrong()), 401)

    assert_problem(log_in(client, code=phone.code()), 429, code="locked_out")
    assert_problem(log_in(client), 429)


def test_the_right_password_alone_forgives_nothing(client: APIClient, phone: Phone) -> None:
    for _ in range(4):
        client.post("/auth/login", {"username": "alice", "password": "wrong-password-9"})
        assert_problem(log_in(client), 403)

    assert FailedLogin.objects.count() == 4
    assert log_in(client, code=phone.code()).status_code == 200
    assert not FailedLogin.objects.exists()


def test_after_ten_wrong_codes_no_code_is_looked_at(
    client: APIClient, phone: Phone, settings: Settings, time_machine: TimeMachineFixture
) -> None:
    settings.LOCKOUT_FAILURES, settings.TRUSTED_PROXIES = 0, 1
    for number in range(10):
        answer = log_in(client, code=phone.wrong()) if number % 2 else None
        if answer is None:
            from_afar = {"HTTP_X_FORWARDED_FOR": f"192.0.2.{number}"}
            body = {"login_token": login_token(client), "code": phone.wrong()}
            answer = client.post("/auth/login/second-factor", body, **from_afar)
        assert_problem(answer, 401, "Incorrect code")
        time_machine.shift(60)

    token = login_token(client)
    for answer in (
        log_in(client, code=phone.code()),
        finish(client, token, code=phone.code()),
        log_in(client, code=phone.wrong()),
    ):
        assert_problem(answer, 429, code="locked_out")
        # The first of the ten was ten minutes ago.
        assert answer["Retry-After"] == "300"
    assert_problem(log_in(client), 403, "Two-factor code required")

    time_machine.shift(301)
    assert log_in(client, code=phone.code()).status_code == 200


def test_while_no_code_is_looked_at_the_token_lives(
    client: APIClient, phone: Phone, settings: Settings, time_machine: TimeMachineFixture
) -> None:
    settings.LOCKOUT_FAILURES = 0
    for _ in range(10):
        log_in(client, code=phone.wrong())
    time_machine.shift(15 * 60 - 60)
    token = login_token(client)
    for _ in range(8):
        assert_problem(finish(client, token, code=phone.code()), 429)

    time_machine.shift(61)
    assert finish(client, token, code=phone.code()).status_code == 200


def test_fifty_wrong_codes_in_a_row_ask_for_a_new_password(
    client: APIClient, alice: User, phone: Phone, settings: Settings, time_machine: TimeMachineFixture
) -> None:
    settings.LOCKOUT_FAILURES = 0
    for number in range(50):
        if number % 10 == 0:
            time_machine.shift(15 * 60 + 1)
        assert_problem(log_in(client, code=phone.wrong()), 401)
    time_machine.shift(15 * 60 + 1)

    for answer in (
        log_in(client, code=phone.code()),
        finish(client, login_token(client), code=phone.code()),
    ):
        body = assert_problem(answer, 403, "Too many wrong codes: reset your password")
        assert body["code"] == "reset_required"

    set_password(alice, PASSWORD)
    assert log_in(client, code=phone.code()).status_code == 200


def test_a_right_code_ends_the_row(client: APIClient, alice: User, phone: Phone) -> None:
    SecondFactor.objects.filter(user=alice).update(failures=49)

    assert log_in(client, code=phone.code()).status_code == 200
    assert_problem(log_in(client, code=phone.wrong()), 401)
    assert log_in(client, code=phone.code(1)).status_code == 200


def test_a_recovery_code_ends_the_row_too(client: APIClient, alice: User) -> None:
    _, codes = enrol(alice)
    SecondFactor.objects.filter(user=alice).update(failures=49)

    assert log_in(client, recovery_code=codes[0]).status_code == 200
    assert SecondFactor.objects.get(user=alice).failures == 0


def test_the_user_is_told_of_ten_wrong_codes(
    client: APIClient, alice: User, phone: Phone, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.LOCKOUT_FAILURES, told = 0, []
    monkeypatch.setattr(
        "accounts.services.codes.notify", lambda user, kind, **more: told.append((user, kind))
    )
    for _ in range(10):
        assert told == []
        log_in(client, code=phone.wrong())

    assert told == [(alice, "wrong_codes")]


def test_the_user_is_told_of_a_used_recovery_code(
    client: APIClient, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Any] = []
    monkeypatch.setattr(
        "accounts.services.codes.notify", lambda user, kind, **more: told.append((kind, more))
    )
    _, codes = enrol(alice)

    log_in(client, recovery_code=codes[3])

    assert told == [("recovery_code_used", {"left": 9})]


# --- Keys ---


def test_a_factor_that_no_key_opens_lets_nobody_in(
    client: APIClient, alice: User, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    phone, codes = enrol(alice)
    settings.ENCRYPTION_KEYS = ["another-key-of-more-than-thirty-two-characters"]

    assert_problem(log_in(client, code=phone.code()), 401, "Incorrect code")
    assert_problem(log_in(client, recovery_code=codes[0]), 401, "Incorrect code")
    assert "No key of AI_MESSAGE_ENCRYPTION_KEYS" in caplog.text


def test_the_seed_of_the_codes_is_not_in_the_database(alice: User) -> None:
    phone, codes = enrol(alice)
    factor = SecondFactor.objects.get(user=alice)
    held = str(list(SecondFactor.objects.values())) + str(list(factor.recovery_codes.values()))

    assert phone.totp.secret not in held
    assert not any(code in held or code.replace("-", "") in held for code in codes)
