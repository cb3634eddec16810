"""An account's whole life, through the server's own pages and the mails that a mail server received."""

import io
import json
import uuid
import zipfile

import pyotp
import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By

from tests.browser.conftest import Server
from tests.browser.postbox import Postbox, link_in
from tests.browser.sight import look
from tests.browser.test_moderation import leave
from tests.browser.test_story import PASSWORD, press, shoot

pytestmark = pytest.mark.browser

NEW = "amber-kettle-77"
MAKE_STAFF = """
from accounts.models import User
from accounts.services.users import grant_superuser
grant_superuser(User.objects.get(username="{name}"), actor=User.objects.get(username="{root}"))
"""


def log_in(browser: webdriver.Chrome, server: Server, name: str, code: str = "") -> None:
    """To the admin, whose door is the API's."""
    browser.delete_all_cookies()
    browser.get(f"{server.url}/admin/login/?next=/admin/second-factor/")
    for field, text in {"username": name, "password": NEW, "code": code}.items():
        browser.find_element(By.NAME, field).send_keys(text)
    leave(browser, browser.find_element(By.CSS_SELECTOR, "[type=submit]"))


def fill(browser: webdriver.Chrome, act: str, **texts: str) -> None:
    for field, text in texts.items():
        browser.find_element(By.ID, f"{act}_{field}").send_keys(text)
    leave(browser, browser.find_element(By.CSS_SELECTOR, f"button[value={act}]"))


def shown(browser: webdriver.Chrome) -> str:
    return browser.find_element(By.TAG_NAME, "body").text


def test_from_registering_to_leaving_and_staying_after_all(
    server: Server, browser: webdriver.Chrome, postbox: Postbox
) -> None:
    tag = uuid.uuid4().hex[:6]
    name, address, root = f"dora-{tag}", f"dora-{tag}@example.org", f"root-{tag}"
    server.manage(
        "createsuperuser", "--noinput", "--username", root, "--email", f"{root}@example.org",
        DJANGO_SUPERUSER_PASSWORD=PASSWORD,
    )  # fmt: skip

    # She registers, and her address is verified by a button.
    account = {"username": name, "email": address, "password": PASSWORD}
    assert server.call("POST", "/auth/register", json=account).status_code == 201
    link = link_in(postbox.take(address, "Verify your e-mail address"))
    assert link.startswith(f"{server.url}/account/verify")
    for _ in range(2):  # no visit uses it up
        browser.get(link)
    look(browser, "account-verify")
    press(browser, "Verify the address")
    assert "Your address is verified" in shown(browser)

    # She forgets her password.
    session = server.call("POST", "/auth/login", json=account).json()["access_token"]
    assert server.call("GET", "/auth/security", session).json()["email_verified_at"]
    assert server.call("POST", "/auth/password/reset", json={"email": address}).status_code == 202
    browser.get(link_in(postbox.take(address, "Reset your")))
    browser.find_element(By.NAME, "new_password").send_keys("password")
    press(browser, "Set the password")
    assert "too common" in shown(browser)
    look(browser, "account-reset")
    browser.find_element(By.NAME, "new_password").send_keys(NEW)
    press(browser, "Set the password")
    assert "Your password is changed" in shown(browser)
    postbox.take(address, "password was changed")
    assert server.call("GET", "/auth/me", session).status_code == 401
    assert server.call("POST", "/auth/login", json=account).status_code == 401

    # She becomes a superuser, and turns two-factor login on in the admin.
    server.manage("shell", "-c", MAKE_STAFF.format(name=name, root=root))
    log_in(browser, server, name)
    fill(browser, "begin", current_password=NEW)
    secret = browser.find_element(By.XPATH, "//p[starts-with(., 'Secret:')]/code").text
    shoot(browser, "account-second-factor")
    fill(browser, "confirm", code=pyotp.TOTP(secret).now())
    codes = [code.text for code in browser.find_elements(By.CSS_SELECTOR, "#content-main li code")]
    assert len(codes) == 10
    postbox.take(address, "Two-factor login is on")

    # She loses her phone.
    login = {"username": name, "password": NEW}
    refused = server.call("POST", "/auth/login", json=login)
    assert (refused.status_code, refused.json()["code"]) == (403, "second_factor_required")
    log_in(browser, server, name)
    assert "code" in browser.find_element(By.CLASS_NAME, "errornote").text.lower()
    log_in(browser, server, name, codes[0])
    assert "9 recovery codes left" in shown(browser)
    assert "9" in postbox.take(address, "A recovery code was used")
    fill(browser, "remove", current_password=NEW, code=codes[1])
    assert "Two-factor login is off." in shown(browser)
    postbox.take(address, "Two-factor login is off")

    # She takes along what is hers.
    session = server.call("POST", "/auth/login", json=login).json()["access_token"]
    proof = {"current_password": NEW}
    answer = server.call("POST", "/auth/me/export", session, json=proof)
    with zipfile.ZipFile(io.BytesIO(answer.content)) as taken:
        assert taken.testzip() is None
        assert json.loads(taken.read("profile.json"))["email"] == address

    # She leaves, and stays after all.
    assert server.call("POST", "/auth/me/delete", session, json=proof).status_code == 202
    assert server.call("POST", "/auth/login", json=login).json()["code"] == "deletion_pending"
    browser.get(link_in(postbox.take(address, "will be deleted")))
    look(browser, "account-undelete")
    press(browser, "Keep the account")
    assert "Your account stays" in shown(browser)
    assert server.call("POST", "/auth/login", json=login).status_code == 200
