"""Only persons log in, work in the admin or are superusers."""

from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission
from django.db import IntegrityError, transaction
from django.test import Client
from rest_framework.test import APIClient

from accounts.models import User
from accounts.services.roles import assign_roles, give_role
from accounts.services.users import grant_superuser
from accounts.tests.test_register import USER_KEYS
from aimessage.api.problems import Forbidden
from aimessage.tests.asserts import assert_problem
from conftest import ApiClient
from tests.factories import PASSWORD, UserFactory

pytestmark = pytest.mark.django_db

OTHERS = [User.Kind.BOT, User.Kind.CONTACT]


@pytest.mark.parametrize("kind", OTHERS)
def test_others_do_not_log_in(client: APIClient, kind: str) -> None:
    UserFactory(username="hal", kind=kind)

    right = client.post("/auth/login", {"username": "hal", "password": PASSWORD})
    unknown = client.post("/auth/login", {"username": "nobody", "password": PASSWORD})
    admin = Client().post("/admin/login/", {"username": "hal", "password": PASSWORD})

    assert right.status_code == unknown.status_code == 401
    assert right.json() == unknown.json()
    assert admin.status_code == 200
    assert "_auth_user_id" not in admin.client.session


@pytest.mark.parametrize("kind", OTHERS)
def test_sessions_end_for_one_who_is_no_person_any_more(
    client: APIClient, as_user: ApiClient, alice: User, kind: str
) -> None:
    alices = as_user(alice)
    User.objects.filter(pk=alice.pk).update(kind=kind)

    assert_problem(alices.get("/auth/me"), 401)
    assert_problem(client.post("/auth/refresh", {"refresh_token": alices.tokens.refresh_token}), 401)


@pytest.mark.parametrize("kind", OTHERS)
def test_a_browser_in_the_admin_is_logged_out(browser_of: Any, superuser: User, kind: str) -> None:
    browser = browser_of(superuser)
    User.objects.filter(pk=superuser.pk).update(kind=kind, is_superuser=False, is_staff=False)

    assert browser.get("/admin/").status_code == 302


def test_a_user_object_does_not_tell(as_user: ApiClient, alice: User) -> None:
    assert set(as_user(alice).get("/auth/me").json()) == USER_KEYS


@pytest.mark.parametrize(
    "flags", [{"is_staff": True}, {"is_staff": True, "is_superuser": True}, {"kind": "cat"}]
)
def test_the_database_refuses_other_accounts(flags: dict[str, Any]) -> None:
    bot = UserFactory(kind=User.Kind.BOT)

    with pytest.raises(IntegrityError), transaction.atomic():
        User.objects.filter(pk=bot.pk).update(**flags)


def test_neither_a_role_nor_a_service_lets_one_into_the_admin(superuser: User) -> None:
    bot = UserFactory(kind=User.Kind.BOT)
    role = Group.objects.create(name="readers")
    role.permissions.add(Permission.objects.get(codename="view_report"))

    give_role(bot, role=role, actor=superuser)
    assign_roles(bot, [role], actor=superuser)
    with pytest.raises(Forbidden):
        grant_superuser(bot, actor=superuser)

    bot.refresh_from_db()
    assert (bot.is_staff, bot.is_superuser) == (False, False)


def test_the_admins_form_refuses_it_and_says_so(browser_of: Any, superuser: User) -> None:
    bot = UserFactory(username="hal", kind=User.Kind.BOT)
    page = f"/admin/accounts/user/{bot.pk}/change/"
    fields = {"username": "hal", "email": bot.email, "full_name": bot.full_name, "is_active": "on"}

    answer = browser_of(superuser).post(page, {**fields, "is_superuser": "on"})

    assert answer.status_code == 200
    assert "Only a person" in answer.content.decode()
    bot.refresh_from_db()
    assert not bot.is_superuser


def test_the_admins_action_passes_it_over(browser_of: Any, superuser: User) -> None:
    bot = UserFactory(username="hal", kind=User.Kind.BOT)
    sent = {"action": "grant_superuser", "_selected_action": [bot.pk], "confirmed": "1"}

    answer = browser_of(superuser).post("/admin/accounts/user/", sent, follow=True)

    assert answer.status_code == 200
    bot.refresh_from_db()
    assert not bot.is_superuser
