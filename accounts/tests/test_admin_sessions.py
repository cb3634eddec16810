"""The cookie of the admin, and what the database keeps of it."""

from typing import Any

from django.conf import settings
from django.contrib.sessions.models import Session
from django.test import Client

from accounts.admin_sessions import stored_key
from accounts.models import User
from tests.factories import PASSWORD


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
