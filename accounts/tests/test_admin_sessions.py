"""The cookie of the admin, and what the database keeps of it."""

from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth import HASH_SESSION_KEY
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import Group
from django.contrib.sessions.models import Session
from django.test import Client

from accounts.admin_sessions import stored_key
from accounts.models import MODERATOR, User
from accounts.services.roles import assign_roles
from accounts.services.sessions import open_session
from accounts.services.users import enable_user, grant_superuser
from conftest import ApiClient
from tests.factories import PASSWORD

#: Ends the sessions of the second; the first is the superuser who does it, where one is needed.
Ending = Callable[[User, User], None]
USERS = "/admin/accounts/user/"


def _by_action(name: str) -> Ending:
    def end(superuser: User, user: User) -> None:
        form = {"action": name, "_selected_action": [user.pk], "confirmed": "yes"}
        assert enter(superuser)[0].post(USERS, form).status_code == 302

    return end


def _by_page(name: str, **form: str) -> Ending:
    def end(superuser: User, user: User) -> None:
        assert enter(superuser)[0].post(f"{USERS}{user.pk}/{name}/", form).status_code == 302

    return end


def _by_form(superuser: User, user: User) -> None:
    """The box *Active* of the user's page, unticked."""
    form = {"username": user.username, "email": user.email, "is_superuser": "on", "initial-is_active": "on"}
    answer = enter(superuser)[0].post(f"{USERS}{user.pk}/change/", form)
    assert answer.status_code == 302
    user.refresh_from_db()
    assert not user.is_active


def _by_api(method: str, url: str, **body: str) -> Ending:
    def end(superuser: User, user: User) -> None:
        token = open_session(user)[1].access_token
        answer = getattr(Client(), method)(
            url, body, content_type="application/json", headers={"Authorization": f"Bearer {token}"}
        )
        assert answer.status_code == 200, answer.content

    return end


NEW_PASSWORD = {"password1": "orange-anvil-77", "password2": "orange-anvil-77", "usable_password": "true"}
ENDINGS = {
    "logout-all": _by_api("post", "/auth/logout-all"),
    "a password change": _by_api(
        "put", "/auth/me/password", current_password=PASSWORD, new_password="orange-anvil-77"
    ),
    "end all": _by_page("end-sessions"),
    "a new password": _by_page("password", **NEW_PASSWORD),
    "end all, in bulk": _by_action("end_sessions"),
    "disable, in bulk": _by_action("disable"),
    "withdraw superuser": _by_action("withdraw_superuser"),
    "disable on the page": _by_form,
}


@pytest.fixture(params=ENDINGS)
def ending(request: pytest.FixtureRequest) -> Ending:
    return ENDINGS[request.param]


def enter(user: User) -> tuple[Client, str]:
    browser = Client()
    form = {"username": user.username, "password": PASSWORD}
    assert browser.post("/admin/login/", form).status_code == 302
    return browser, browser.cookies[settings.SESSION_COOKIE_NAME].value


def with_cookie(value: str) -> Any:
    browser = Client()
    browser.cookies[settings.SESSION_COOKIE_NAME] = value
    return browser.get("/admin/")


def test_the_cookie_opens_the_admin_and_what_the_database_holds_does_not(superuser: User) -> None:
    browser, cookie = enter(superuser)
    row = Session.objects.get()

    assert browser.get("/admin/").status_code == with_cookie(cookie).status_code == 200
    assert row.session_key == stored_key(cookie) != cookie
    assert cookie not in str(vars(row))
    assert with_cookie(row.session_key).status_code == 302


def test_a_row_from_before_opens_nothing(superuser: User) -> None:
    """Django's own engine left the cookie itself in the table."""
    _, cookie = enter(superuser)
    Session.objects.update(session_key=cookie)

    assert with_cookie(cookie).status_code == 302


def test_a_logout_deletes_the_row(superuser: User) -> None:
    browser, cookie = enter(superuser)

    assert browser.post("/admin/logout/").status_code in {200, 302}
    assert not Session.objects.exists()
    assert with_cookie(cookie).status_code == 302


def test_a_cookie_of_nobody_is_replaced(superuser: User) -> None:
    browser = Client()
    browser.cookies[settings.SESSION_COOKIE_NAME] = "chosen-by-somebody-else"
    form = {"username": superuser.username, "password": PASSWORD}
    browser.post("/admin/login/", form)

    assert browser.cookies[settings.SESSION_COOKIE_NAME].value != "chosen-by-somebody-else"
    assert not Session.objects.filter(session_key=stored_key("chosen-by-somebody-else")).exists()


def test_a_session_that_was_ended_stays_ended(superuser: User, ruler: User, ending: Ending) -> None:
    _, cookie = enter(ruler)
    assert with_cookie(cookie).status_code == 200

    ending(superuser, ruler)

    assert with_cookie(cookie).status_code == 302
    ruler.refresh_from_db()
    enable_user(ruler, actor=superuser)
    grant_superuser(ruler, actor=superuser)
    assert with_cookie(cookie).status_code == 302
    again, _ = enter(ruler) if ruler.check_password(PASSWORD) else (None, None)
    assert again is None or again.get("/admin/").status_code == 200


def test_an_end_of_one_session_of_the_api_leaves_the_admin(superuser: User, as_user: ApiClient) -> None:
    browser, _ = enter(superuser)
    client = as_user(superuser)

    assert client.delete(f"/auth/sessions/{client.session_row.pk}").status_code == 200

    assert browser.get("/admin/").status_code == 200


def test_who_changes_the_own_password_in_the_admin_stays_there_alone(superuser: User) -> None:
    browser, _ = enter(superuser)
    _, other = enter(superuser)
    form = {"old_password": PASSWORD, "new_password1": "orange-anvil-77", "new_password2": "orange-anvil-77"}

    assert browser.post("/admin/password_change/", form).status_code == 302

    assert browser.get("/admin/").status_code == 200
    assert with_cookie(other).status_code == 302


def test_sessions_from_before_the_epoch_go_on(superuser: User) -> None:
    browser, _ = enter(superuser)
    djangos_own = AbstractBaseUser._get_session_auth_hash(superuser)  # type: ignore[attr-defined]

    assert browser.session[HASH_SESSION_KEY] == djangos_own


def test_who_loses_the_last_role_that_opens_the_admin_does_not_come_back_by_the_old_cookie(
    superuser: User, moderator: User
) -> None:
    _, cookie = enter(moderator)
    assert with_cookie(cookie).status_code == 200

    assign_roles(moderator, [], actor=superuser)
    assign_roles(moderator, Group.objects.filter(name=MODERATOR), actor=superuser)

    assert with_cookie(cookie).status_code == 302
    assert enter(moderator)[0].get("/admin/").status_code == 200
