import re
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings
from rest_framework.test import APIClient

from accounts.models import MailSecret, User
from accounts.services.leaving import request_deletion
from accounts.tests.mailbox import code_in, deliver, token_in
from tests.factories import PASSWORD

pytestmark = pytest.mark.django_db

NEW = "amber-kettle-77"
PAGES = ["/account/reset", "/account/verify", "/account/undelete"]


@pytest.fixture
def browser() -> Client:
    return Client(enforce_csrf_checks=True)


@pytest.fixture
def message(alice: User) -> Any:
    APIClient().post("/auth/password/reset", {"email": alice.email})
    return deliver()[0]


def link_in(message: Any) -> str:
    return re.findall(r"https?://[^/]+(/account/\S+)", message.body)[0]


def test_the_link_leads_to_a_form_that_sets_the_password(message: Any, browser: Client) -> None:
    page = browser.get(link_in(message))
    assert token_in(message) in page.text
    assert MailSecret.objects.count() == 1

    sent = {"token": token_in(message), "new_password": NEW}
    answer = browser.post("/account/reset", sent)

    assert answer.status_code == 200
    assert "Your password is changed" in answer.text
    assert User.objects.get().check_password(NEW)
    assert "Link or code is invalid or expired" in browser.post("/account/reset", sent).text


def test_a_bad_password_shows_the_form_again(message: Any, browser: Client) -> None:
    answer = browser.post("/account/reset", {"token": token_in(message), "new_password": "password"})

    assert answer.status_code == 400
    assert "too common" in answer.text
    assert token_in(message) in answer.text
    assert 'value="password"' not in answer.text


def test_without_a_token_it_asks_for_the_code(message: Any, browser: Client, alice: User) -> None:
    assert 'name="code"' in browser.get("/account/reset").text
    sent = {"email": alice.email, "code": code_in(message), "new_password": NEW}

    assert browser.post("/account/reset", sent).status_code == 200


def test_a_button_verifies(browser: Client) -> None:
    names = {"username": "dora", "email": "dora@example.org", "password": PASSWORD}
    APIClient().post("/auth/register", names)
    (message,) = deliver()
    for _ in range(2):
        assert "<button>" in browser.get(link_in(message)).text
    assert User.objects.get().email_verified_at is None

    answer = browser.post("/account/verify", {"token": token_in(message)})

    assert "Your address is verified" in answer.text
    assert User.objects.get().email_verified_at is not None


def test_a_button_undoes_a_deletion(alice: User, browser: Client) -> None:
    request_deletion(alice, erases=False)
    (message,) = deliver()
    for _ in range(2):
        assert "<button>" in browser.get(link_in(message)).text
    alice.refresh_from_db()
    assert not alice.is_active

    sent = {"token": token_in(message)}
    assert "Your account stays" in browser.post("/account/undelete", sent).text
    alice.refresh_from_db()
    assert alice.is_active
    again = browser.post("/account/undelete", sent)
    assert (again.status_code, "Link or code is invalid or expired" in again.text) == (400, True)
    assert "<button>" not in browser.get("/account/undelete").text


@pytest.mark.parametrize("page", PAGES)
def test_no_script_and_nothing_from_elsewhere_runs(browser: Client, page: str) -> None:
    answer = browser.get(f"{page}?token=%22%3E%3Cscript%3Ealert(1)%3C/script%3E")

    assert "<script" not in answer.text
    assert answer["Content-Security-Policy"].startswith("default-src 'none'")
    assert "'unsafe" not in answer["Content-Security-Policy"]
    assert answer["Referrer-Policy"] == "no-referrer"
    assert answer["Cache-Control"] == "no-store"
    assert "style=" not in answer.text
    assert browser.delete(page).status_code == 405


@pytest.mark.parametrize("page", PAGES)
def test_a_page_counts_as_the_api_does(browser: Client, page: str, settings: Settings) -> None:
    settings.THROTTLE_RATES = {**settings.THROTTLE_RATES, "confirm": (2, 60)}
    sent = {"token": "x", "new_password": NEW}

    assert [browser.post(page, sent).status_code for _ in range(3)] == [400, 400, 429]
    assert browser.get(page).status_code == 200
