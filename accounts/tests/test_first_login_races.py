"""First logins with a password from the former backend, several at once, while its hash is replaced."""

import pytest
from pytest_django import Settings
from rest_framework.test import APIClient

from accounts.models import Session, User
from accounts.tests.test_imported_hashes import OLD_PASSWORD, moved_in, old_hash
from accounts.tests.test_login import log_in
from aimessage.settings import PASSWORD_HASHERS
from aimessage.tests.threads import run_together
from conftest import ApiClient

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgres]

RACERS = 6
NEW = "amber-kettle-77"


@pytest.fixture(autouse=True)
def real_hashers(_fast_and_unlimited: None, settings: Settings) -> None:
    settings.PASSWORD_HASHERS = PASSWORD_HASHERS
    settings.LOCKOUT_FAILURES = 0


@pytest.mark.parametrize("round_", range(2))
def test_first_logins_at_once_all_succeed(round_: int) -> None:
    dave = moved_in("dave", old_hash(OLD_PASSWORD, rounds=4))

    answers = run_together(*[lambda: log_in(APIClient(), "dave", OLD_PASSWORD)] * RACERS)

    assert [answer.status_code for answer in answers] == [200] * RACERS
    assert Session.objects.live().filter(user=dave).count() == RACERS
    dave.refresh_from_db()
    assert dave.password.startswith("bcrypt_sha256$")


@pytest.mark.parametrize("round_", range(3))
def test_a_first_login_does_not_undo_a_change_of_password(as_user: ApiClient, round_: int) -> None:
    dave = moved_in("dave", old_hash(OLD_PASSWORD, rounds=4))
    phone = as_user(User.objects.get(pk=dave.pk))
    sent = {"current_password": OLD_PASSWORD, "new_password": NEW}

    changed, *logins = run_together(
        lambda: phone.put("/auth/me/password", sent),
        *[lambda: log_in(APIClient(), "dave", OLD_PASSWORD)] * RACERS,
    )

    assert changed.status_code == 200
    assert {login.status_code for login in logins} <= {200, 401}
    assert list(Session.objects.live()) == [phone.session_row]
    assert log_in(APIClient(), "dave", OLD_PASSWORD).status_code == 401
    assert log_in(APIClient(), "dave", NEW).status_code == 200
