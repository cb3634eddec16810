from collections.abc import Callable

import pytest

from accounts.models import User
from accounts.services.users import delete_user, disable_user, withdraw_superuser
from aimessage.api.problems import Forbidden
from aimessage.tests.threads import run_together
from tests.factories import UserFactory

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgres]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (withdraw_superuser, withdraw_superuser),
        (disable_user, disable_user),
        (delete_user, delete_user),
        (withdraw_superuser, delete_user),
    ],
)
def test_of_two_superusers_who_remove_each_other_one_stays(
    first: Callable[..., None], second: Callable[..., None]
) -> None:
    ruth = UserFactory(username="ruth", is_superuser=True)
    rick = UserFactory(username="rick", is_superuser=True)

    def attempt(remove: Callable[..., None], user: User, actor: User) -> bool:
        try:
            remove(user, actor=actor)
        except Forbidden:
            return False
        return True

    done = run_together(lambda: attempt(first, rick, ruth), lambda: attempt(second, ruth, rick))

    assert sorted(done) == [False, True]
    assert User.objects.superusers().count() == 1
