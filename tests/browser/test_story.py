"""Two people talk over the API, one reports the other, and a superuser resolves that in the admin."""

import uuid

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import Select

from tests.browser.conftest import ARTIFACTS, Server
from tests.browser.test_moderation import press, told

pytestmark = pytest.mark.browser

PASSWORD = "violet-tractor-42"


def sign_up(server: Server, name: str) -> tuple[int, str]:
    """Registers and logs in over the API; returns the user's id and an access token."""
    account = {"username": name, "email": f"{name}@example.org", "password": PASSWORD}
    assert server.call("POST", "/auth/register", json=account).status_code == 201
    answer = server.call("POST", "/auth/login", json={"username": name, "password": PASSWORD})
    assert answer.status_code == 200
    return answer.json()["user"]["id"], answer.json()["access_token"]


def log_in_to_admin(browser: webdriver.Chrome, server: Server, name: str) -> None:
    browser.get(f"{server.url}/admin/")
    browser.find_element(By.NAME, "username").send_keys(name)
    browser.find_element(By.NAME, "password").send_keys(PASSWORD)
    browser.find_element(By.CSS_SELECTOR, "[type=submit]").click()
    assert browser.find_element(By.CSS_SELECTOR, "#user-tools strong").text.lower() == name


def shoot(browser: webdriver.Chrome, name: str) -> None:
    browser.save_screenshot(str(ARTIFACTS / f"{name}.png"))


def test_a_reported_message_is_dealt_with(server: Server, browser: webdriver.Chrome) -> None:
    tag = uuid.uuid4().hex[:6]
    _, alices = sign_up(server, f"alice-{tag}")
    bob, bobs = sign_up(server, f"bob-{tag}")
    root = f"root-{tag}"
    server.manage(
        "createsuperuser", "--noinput", "--username", root, "--email", f"{root}@example.org",
        DJANGO_SUPERUSER_PASSWORD=PASSWORD,
    )  # fmt: skip

    # They talk: alice writes and edits, bob replies, alice deletes what she wrote later.
    first = server.call("POST", "/messages", alices, json={"recipient_id": bob, "content": "Noon?"}).json()
    server.call("PUT", f"/messages/{first['id']}", alices, json={"content": "Shall we meet at noon?"})
    conversation = f"/auth/conversations/{first['conversation_id']}/messages"
    reply = {"content": "You are a fool, and always late.", "parent_id": first["id"]}
    insult = server.call("POST", conversation, bobs, json=reply).json()
    regretted = server.call("POST", conversation, alices, json={"content": "So are you!"}).json()
    assert server.call("DELETE", f"/messages/{regretted['id']}", alices).status_code == 200
    seen = server.call("GET", conversation, bobs).json()
    assert [message["content"] for message in seen] == [
        "Shall we meet at noon?",
        "You are a fool, and always late.",
    ]

    # She reports him, and the superuser resolves it.
    complaint = {"title": f"Insults {tag}", "content": "Make him stop.", "message_id": insult["id"]}
    report = server.call("POST", "/reports", alices, json=complaint).json()
    assert report["status"] == "open"

    log_in_to_admin(browser, server, root)
    shoot(browser, "admin-home")
    browser.find_element(By.LINK_TEXT, "Reports").click()
    browser.get(f"{server.url}/admin/reports/report/?q=Insults+{tag}")
    shoot(browser, "admin-reports")
    browser.find_element(By.LINK_TEXT, f"Insults {tag}").click()
    assert "You are a fool, and always late." in browser.find_element(By.ID, "content").text
    press(browser, "Claim")
    assert "Claimed." in told(browser)
    browser.find_element(By.NAME, "comment").send_keys("He was warned.")
    shoot(browser, "admin-report")
    press(browser, "Resolve")
    assert "Resolved." in told(browser)

    # She sees it.
    answer = server.call("GET", f"/reports/{report['id']}", alices).json()
    assert (answer["status"], answer["comment"], answer["resolver_username"]) == (
        "resolved",
        "He was warned.",
        root,
    )
    assert answer["resolved_at"]


def test_a_superuser_disables_an_account(server: Server, browser: webdriver.Chrome) -> None:
    tag = uuid.uuid4().hex[:6]
    _, token = sign_up(server, f"mallory-{tag}")
    root = f"root-{tag}"
    server.manage(
        "createsuperuser", "--noinput", "--username", root, "--email", f"{root}@example.org",
        DJANGO_SUPERUSER_PASSWORD=PASSWORD,
    )  # fmt: skip

    log_in_to_admin(browser, server, root)
    browser.get(f"{server.url}/admin/accounts/user/?q=mallory-{tag}")
    browser.find_element(By.CSS_SELECTOR, "#result_list .action-select").click()
    Select(browser.find_element(By.NAME, "action")).select_by_value("disable")
    browser.find_element(By.CSS_SELECTOR, ".actions [type=submit]").click()
    press(browser, "Disable 1 user")

    assert "1 user disabled." in told(browser)
    assert server.call("GET", "/auth/me", token).status_code == 401


def test_the_docs_page_sends_an_authorized_request(server: Server, browser: webdriver.Chrome) -> None:
    name = f"alice-{uuid.uuid4().hex[:6]}"
    _, token = sign_up(server, name)

    browser.get(f"{server.url}/docs")
    browser.find_element(By.CSS_SELECTOR, "button.authorize").click()
    browser.find_element(By.CSS_SELECTOR, ".auth-container input").send_keys(token)
    browser.find_element(By.CSS_SELECTOR, ".auth-btn-wrapper button.authorize").click()
    browser.find_element(By.CSS_SELECTOR, ".auth-btn-wrapper button.btn-done").click()
    operation = browser.find_element(By.ID, "operations-accounts-get_me")
    operation.find_element(By.TAG_NAME, "button").click()
    operation.find_element(By.CSS_SELECTOR, "button.try-out__btn").click()
    operation.find_element(By.CSS_SELECTOR, "button.execute").click()

    live = operation.find_element(By.CSS_SELECTOR, ".live-responses-table tbody .response-col_description")
    assert f'"username": "{name}"' in live.text
    shoot(browser, "docs")
    assert foreign(browser) == []


def test_redoc_shows_every_section(server: Server, browser: webdriver.Chrome) -> None:
    browser.get(f"{server.url}/redoc")

    menu = browser.find_element(By.CSS_SELECTOR, ".menu-content").text.lower()
    for section in ("accounts", "sessions", "people", "conversations", "messages", "reports", "system"):
        assert section in menu
    assert foreign(browser) == []


def foreign(browser: webdriver.Chrome) -> list[str]:
    """What the page loaded from another host, or tried to, which the console tells."""
    asked = "return performance.getEntriesByType('resource').map(one => new URL(one.name).origin)"
    own = browser.execute_script("return location.origin")
    console: list[dict[str, str]] = browser.get_log("browser")  # type: ignore[no-untyped-call]
    refused = [one["message"] for one in console if "Content Security Policy" in one["message"]]
    return [origin for origin in browser.execute_script(asked) if origin != own] + refused
