"""Ten tasks at the desk, from login to logout, over the data of `make demo`."""

import pytest
from selenium import webdriver
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import Select, WebDriverWait

from operations.demo.people import PASSWORD
from tests.browser.conftest import Server
from tests.browser.sight import look

pytestmark = pytest.mark.browser

NEWCOMER = "nadia"
LOCKED = "otto"


@pytest.fixture(scope="module")
def demo(server: Server) -> Server:
    server.manage("load_demo", "--force")
    return server


def find(browser: webdriver.Chrome, selector: str) -> WebElement:
    return browser.find_element(By.CSS_SELECTOR, selector)


def leave(browser: webdriver.Chrome, element: WebElement) -> None:
    """Clicks `element`, and waits for the page to which it leads."""
    page = find(browser, "html")
    element.click()
    WebDriverWait(browser, 40).until(lambda _: _is_gone(page))


def _is_gone(page: WebElement) -> bool:
    """Chromium has more than one error for a node of a page that was left."""
    try:
        page.is_enabled()
    except WebDriverException:
        return True
    return False


def follow(browser: webdriver.Chrome, text: str) -> None:
    leave(browser, browser.find_element(By.PARTIAL_LINK_TEXT, text))


def press(browser: webdriver.Chrome, label: str) -> None:
    leave(browser, browser.find_element(By.XPATH, f"//button[normalize-space()='{label}']"))


def told(browser: webdriver.Chrome) -> str:
    return browser.find_element(By.CLASS_NAME, "messagelist").text


def log_in(browser: webdriver.Chrome, server: Server, name: str) -> None:
    browser.get(f"{server.url}/admin/")
    look(browser, "desk-login")
    browser.find_element(By.NAME, "username").send_keys(name)
    browser.find_element(By.NAME, "password").send_keys(PASSWORD)
    leave(browser, find(browser, "[type=submit]"))
    assert find(browser, "#user-tools strong").text.lower() == name


def log_out(browser: webdriver.Chrome) -> None:
    leave(browser, find(browser, "#logout-form button"))
    assert "Logged out" in find(browser, "#content").text
    look(browser, "desk-logout")


def choose(browser: webdriver.Chrome, rows: int, action: str) -> None:
    """Ticks the first `rows` of a list, and goes on to what `action` asks."""
    for box in browser.find_elements(By.CSS_SELECTOR, "#result_list .action-select")[:rows]:
        box.click()
    Select(browser.find_element(By.NAME, "action")).select_by_value(action)
    leave(browser, find(browser, ".actions [type=submit]"))


def test_a_moderators_day(demo: Server, browser: webdriver.Chrome) -> None:
    log_in(browser, demo, "demo.moderator")
    look(browser, "desk-home-moderator")
    assert "Traffic" not in find(browser, "#content").text

    # --- Claim the oldest open report that is about a message ---
    follow(browser, "Reports")
    follow(browser, "Open (")
    follow(browser, "About a message (")
    look(browser, "desk-queue")
    leave(browser, find(browser, "#result_list tbody .field-title a"))
    press(browser, "Claim")
    assert "Claimed." in told(browser)

    # --- Read the evidence: what was reported, and what was said around it ---
    assert find(browser, ".quote.accused").text
    said = browser.find_elements(By.CSS_SELECTOR, "ol.talk .said")
    if said:
        assert find(browser, "ol.talk .reported .said").text
    look(browser, "desk-report")

    # --- Resolve it with a comment, and open it again ---
    browser.find_element(By.NAME, "comment").send_keys("He was warned.")
    press(browser, "Resolve")
    assert "Resolved." in told(browser)
    assert "Resolved by demo.moderator" in find(browser, ".byline").text
    look(browser, "desk-report-resolved")
    press(browser, "Reopen")
    assert "Reopened." in told(browser)
    assert "Nobody is working on it yet." in find(browser, ".byline").text

    # --- Shut its sender out ---
    find(browser, ".shut-out summary").click()
    look(browser, "desk-report-shut-out")
    press(browser, "Disable the account")
    assert "Disabled the sender's account." in told(browser)
    leave(browser, find(browser, ".object-tools .historylink"))
    assert "Disabled the sender's account." in find(browser, "#change-history").text
    look(browser, "desk-report-history")

    # --- Resolve two at once ---
    browser.get(f"{demo.url}/admin/reports/report/?status__exact=open")
    choose(browser, 2, "resolve")
    browser.find_element(By.NAME, "comment").send_keys("An advertisement. Thank you.")
    look(browser, "desk-bulk-resolve")
    leave(browser, find(browser, ".confirm .submit-row button"))
    assert "2 reports resolved." in told(browser)

    # --- People are none of a moderator's business ---
    browser.get(f"{demo.url}/admin/accounts/user/")
    assert "You may not do this" in find(browser, "body").text
    look(browser, "desk-refused")
    browser.get(f"{demo.url}/admin/")
    log_out(browser)


def test_a_superusers_day(demo: Server, browser: webdriver.Chrome) -> None:
    account = {"username": LOCKED, "email": f"{LOCKED}@example.org", "password": PASSWORD}
    assert demo.call("POST", "/auth/register", json=account).status_code == 201
    wrong = {"username": LOCKED, "password": "wrong-guess"}
    assert [demo.call("POST", "/auth/login", json=wrong).status_code for _ in range(6)][-1] == 429

    log_in(browser, demo, "demo.admin")
    assert len(browser.find_elements(By.CSS_SELECTOR, ".card.plot svg")) == 4
    look(browser, "desk-home")

    # --- End a session ---
    follow(browser, "Live sessions")
    look(browser, "desk-sessions")
    leave(browser, find(browser, "#result_list tbody tr:last-child th a"))
    look(browser, "desk-session")
    browser.get(f"{demo.url}/admin/accounts/session/?state=live")
    choose(browser, 1, "end")
    look(browser, "desk-sessions-end")
    leave(browser, find(browser, ".confirm .submit-row button"))
    assert "1 session ended." in told(browser)

    # --- Add a user with a role ---
    browser.get(f"{demo.url}/admin/accounts/user/")
    look(browser, "desk-users")
    leave(browser, find(browser, ".object-tools .addlink"))
    look(browser, "desk-user-add")
    for field, value in {
        "username": NEWCOMER,
        "email": f"{NEWCOMER}@example.org",
        "password1": PASSWORD,
        "password2": PASSWORD,
    }.items():
        browser.find_element(By.NAME, field).send_keys(value)
    browser.find_element(By.XPATH, "//label[contains(., 'moderator')]/input").click()
    leave(browser, browser.find_element(By.NAME, "_save"))
    assert "was added successfully" in told(browser)
    assert "moderator" in find(browser, ".overview").text

    # --- Unlock a user ---
    browser.get(f"{demo.url}/admin/accounts/user/?locked=out")
    follow(browser, LOCKED)
    assert "Locked out from" in find(browser, ".overview").text
    look(browser, "desk-user")
    press(browser, "Unlock")
    assert "Lifted the lockout" in told(browser)
    assert demo.call("POST", "/auth/login", json={**wrong, "password": PASSWORD}).status_code == 200

    # --- Find that in the audit trail ---
    browser.get(f"{demo.url}/admin/audit/entry/")
    look(browser, "desk-audit")
    follow(browser, "user.unlocked")
    leave(browser, find(browser, "#result_list tbody th a"))
    assert LOCKED in find(browser, "#content").text
    look(browser, "desk-audit-entry")

    # --- And the pages that no task has led to ---
    for name, path in {
        "user-delete": f"accounts/user/{_pk(browser, demo, LOCKED)}/delete/",
        "user-history": f"accounts/user/{_pk(browser, demo, LOCKED)}/history/",
        "user-password": f"accounts/user/{_pk(browser, demo, LOCKED)}/password/",
        "users-nobody": "accounts/user/?q=zeppelin",
        "roles": "accounts/role/",
        "role": "accounts/role/1/change/",
        "role-delete": "accounts/role/1/delete/",
        "failed-logins": "accounts/failedlogin/",
        "accounts": "accounts/",
        "own-password": "password_change/",
    }.items():
        browser.get(f"{demo.url}/admin/{path}")
        look(browser, f"desk-{name}")
    log_out(browser)


def _pk(browser: webdriver.Chrome, server: Server, name: str) -> str:
    """The id of the user of that name, from the link in the list."""
    browser.get(f"{server.url}/admin/accounts/user/?q={name}")
    link = browser.find_element(By.LINK_TEXT, name).get_attribute("href") or ""
    return link.split("/user/")[1].split("/")[0]
