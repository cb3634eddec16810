from typing import Any

import pytest
from pytest_django import Settings
from rest_framework.test import APIClient

from accounts.models import PendingLogin, RecoveryCode, SecondFactor, Session, User, WrongCode
from accounts.services.second_factor import begin_totp
from accounts.tests.factors import Phone, enrol, finish, log_in, login_token
from aimessage.api.guesses import HashQueue
from aimessage.tests.threads import run_together
from conftest import ApiClient
from tests.factories import PASSWORD

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgres]

MANY = 20


@pytest.fixture(autouse=True)
def _side_by_side(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in many processes: no guess waits for another before it reaches the database."""
    settings.LOCKOUT_FAILURES = 0
    monkeypatch.setattr("accounts.guesses.QUEUE", HashQueue(MANY))


def statuses(answers: list[Any]) -> dict[int, int]:
    found = [answer.status_code for answer in answers]
    return {status: found.count(status) for status in sorted(set(found))}


def test_of_twenty_logins_with_one_code_one_succeeds(alice: User) -> None:
    phone, _ = enrol(alice)
    code = phone.code()

    answers = run_together(*[lambda: log_in(APIClient(), code=code)] * MANY)

    found = statuses(answers)
    assert found.pop(200) == 1
    assert found.keys() <= {401, 429}
    assert Session.objects.filter(user=alice).count() == 1
    assert WrongCode.objects.count() <= 10


def test_of_twenty_second_steps_with_one_code_one_succeeds(alice: User) -> None:
    phone, _ = enrol(alice)
    tokens, code = [login_token(APIClient()) for _ in range(MANY)], phone.code()

    answers = run_together(*[lambda token=token: finish(APIClient(), token, code=code) for token in tokens])

    assert statuses(answers)[200] == 1
    assert Session.objects.filter(user=alice).count() == 1


def test_of_twenty_logins_with_one_recovery_code_one_succeeds(alice: User) -> None:
    _, codes = enrol(alice)

    answers = run_together(*[lambda: log_in(APIClient(), recovery_code=codes[0])] * MANY)

    assert statuses(answers)[200] == 1
    assert Session.objects.filter(user=alice).count() == 1
    assert RecoveryCode.objects.filter(used_at__isnull=False).count() == 1


def test_a_login_token_works_once(alice: User) -> None:
    _, codes = enrol(alice)
    token = login_token(APIClient())

    answers = run_together(
        *[lambda code=code: finish(APIClient(), token, recovery_code=code) for code in codes[:5]]
    )

    assert statuses(answers)[200] == 1
    assert Session.objects.filter(user=alice).count() == 1


def test_a_login_token_takes_five_wrong_codes(alice: User) -> None:
    phone, _ = enrol(alice)
    token, wrong = login_token(APIClient()), phone.wrong()

    answers = run_together(*[lambda: finish(APIClient(), token, code=wrong)] * MANY)

    assert statuses(answers) == {401: MANY}
    assert [answer.json()["code"] for answer in answers].count("wrong_code") == 5
    assert WrongCode.objects.count() == PendingLogin.objects.get().failures == 5


def test_of_twenty_wrong_codes_ten_are_looked_at(alice: User) -> None:
    phone, _ = enrol(alice)
    wrong = phone.wrong()

    answers = run_together(*[lambda: log_in(APIClient(), code=wrong)] * MANY)

    assert statuses(answers) == {401: 10, 429: 10}
    assert SecondFactor.objects.get(user=alice).failures == WrongCode.objects.count() == 10


def test_of_twenty_proofs_with_one_code_one_succeeds(as_user: ApiClient, alice: User) -> None:
    phone, _ = enrol(alice)
    me = [as_user(alice) for _ in range(MANY)]
    sent = {"current_password": PASSWORD, "code": phone.code()}

    answers = run_together(
        *[lambda one=one: one.post("/auth/second-factor/recovery-codes", sent) for one in me]
    )

    assert statuses(answers)[200] == 1
    assert RecoveryCode.objects.count() == 10


def test_of_twenty_confirmations_one_has_the_recovery_codes(as_user: ApiClient, alice: User) -> None:
    phone = Phone(begin_totp(alice).secret)
    me = [as_user(alice) for _ in range(MANY)]
    sent = {"code": phone.code()}

    answers = run_together(
        *[lambda one=one: one.post("/auth/second-factor/totp/confirm", sent) for one in me]
    )

    found = statuses(answers)
    assert found.pop(200) == 1
    assert found.keys() <= {404, 401}
    assert RecoveryCode.objects.count() == 10


def test_twenty_beginnings_leave_one_secret(as_user: ApiClient, alice: User) -> None:
    me = [as_user(alice) for _ in range(MANY)]
    sent = {"current_password": PASSWORD}

    answers = run_together(*[lambda one=one: one.post("/auth/second-factor/totp", sent) for one in me])

    assert statuses(answers).keys() <= {200, 409}
    assert SecondFactor.objects.count() == 1


def test_no_login_by_password_alone_outlives_the_second_factor(as_user: ApiClient, alice: User) -> None:
    """Whichever comes first, the session is ended or never opened."""
    for _ in range(5):
        SecondFactor.objects.all().delete()
        phone, me = Phone(begin_totp(alice).secret), as_user(alice)
        code = phone.code()
        run_together(
            *[lambda: log_in(APIClient())] * 6,
            lambda me=me, code=code: me.post("/auth/second-factor/totp/confirm", {"code": code}),
        )

        assert list(Session.objects.live().filter(user=alice)) == [me.session_row]
        Session.objects.all().delete()
