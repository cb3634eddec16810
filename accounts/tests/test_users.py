"""What superusers do to accounts: the services behind the admin."""

from collections.abc import Callable

import pytest

from accounts.models import Session, User
from accounts.services.users import (
    delete_user,
    disable_user,
    enable_user,
    grant_superuser,
    set_password,
    withdraw_superuser,
)
from aimessage.api.problems import Forbidden
from conftest import ApiClient
from messaging.models import Message
from tests.factories import MessageFactory, UserFactory

REMOVALS = [disable_user, withdraw_superuser, delete_user]


def is_superuser(user: User) -> bool:
    return User.objects.superusers().filter(pk=user.pk).exists()


def test_a_disabled_user_is_out_at_once(as_user: ApiClient, alice: User, superuser: User) -> None:
    client = as_user(alice)

    disable_user(alice, actor=superuser)

    alice.refresh_from_db()
    assert not alice.is_active
    assert client.get("/auth/me").status_code == 401
    assert not Session.objects.live().filter(user=alice).exists()


def test_an_enabled_user_may_log_in_but_old_sessions_stay_dead(
    as_user: ApiClient, alice: User, superuser: User
) -> None:
    client = as_user(alice)
    disable_user(alice, actor=superuser)

    enable_user(alice, actor=superuser)

    assert client.get("/auth/me").status_code == 401
    assert as_user(alice).get("/auth/me").status_code == 200


def test_a_superuser_is_staff_and_an_ordinary_user_is_not(alice: User, superuser: User) -> None:
    grant_superuser(alice, actor=superuser)
    alice.refresh_from_db()
    assert (alice.is_superuser, alice.is_staff) == (True, True)

    withdraw_superuser(alice, actor=superuser)
    alice.refresh_from_db()
    assert (alice.is_superuser, alice.is_staff) == (False, False)


def test_a_deleted_account_leaves_what_it_sent(alice: User, bob: User, superuser: User) -> None:
    message = MessageFactory(sender=alice, recipient=bob)

    delete_user(alice, actor=superuser)

    assert not User.objects.filter(username="alice").exists()
    assert Message.objects.get(pk=message.pk).sender is None


@pytest.mark.parametrize("remove", REMOVALS)
def test_nobody_does_it_to_himself(superuser: User, remove: Callable[..., None]) -> None:
    UserFactory(username="second", is_superuser=True)

    with pytest.raises(Forbidden, match="yourself"):
        remove(superuser, actor=superuser)

    assert is_superuser(superuser)


@pytest.mark.parametrize("remove", REMOVALS)
def test_the_last_superuser_stays(superuser: User, alice: User, remove: Callable[..., None]) -> None:
    with pytest.raises(Forbidden, match="The last superuser must stay"):
        remove(superuser, actor=alice)

    assert is_superuser(superuser)


@pytest.mark.parametrize("remove", REMOVALS)
def test_a_disabled_superuser_does_not_count_as_one_who_stays(
    superuser: User, alice: User, remove: Callable[..., None]
) -> None:
    UserFactory(username="second", is_superuser=True, is_active=False)

    with pytest.raises(Forbidden, match="The last superuser must stay"):
        remove(superuser, actor=alice)

    assert is_superuser(superuser)


@pytest.mark.parametrize("remove", REMOVALS)
def test_one_of_two_superusers_may_go(superuser: User, remove: Callable[..., None]) -> None:
    second = UserFactory(username="second", is_superuser=True)
    pk = second.pk

    remove(second, actor=superuser)

    assert list(User.objects.superusers()) == [superuser]
    assert not User.objects.superusers().filter(pk=pk).exists()


@pytest.mark.parametrize("remove", REMOVALS)
def test_a_disabled_superuser_may_go_though_one_alone_is_left(
    superuser: User, remove: Callable[..., None]
) -> None:
    second = UserFactory(username="second", is_superuser=True, is_active=False)

    remove(second, actor=superuser)

    assert list(User.objects.superusers()) == [superuser]


def test_a_password_set_by_another_ends_every_session(as_user: ApiClient, alice: User) -> None:
    client = as_user(alice)

    set_password(alice, "amber-kettle-77")

    assert client.get("/auth/me").status_code == 401
    alice.refresh_from_db()
    assert alice.check_password("amber-kettle-77")
