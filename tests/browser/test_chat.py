"""Two people talk on /chat, each in a Chromium of their own, one on a phone and offline for a while."""

import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyotp
import pytest
from selenium import webdriver
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from assistant.tests.stub import Says, Stub
from tests.browser.conftest import Server, serving
from tests.browser.sight import look
from tests.browser.test_moderation import find, leave, press, told
from tests.browser.test_story import PASSWORD, log_in_to_admin, sign_up

pytestmark = pytest.mark.browser

#: Seconds that anything may take to show, on a busy machine.
PATIENCE = 40
TEXTS = """
    const found = [...document.querySelectorAll(arguments[0])];
    return found.filter(one => one.checkVisibility()).map(one => one.innerText);
"""
MAKE_MODERATOR = """
from django.contrib.auth.models import Group
from accounts.models import User
from accounts.services.roles import give_role
give_role(User.objects.get(username="{name}"), role=Group.objects.get(name="moderator"), actor=None)
"""
MARKUP = "<img src=x onerror=document.title='broken'> <b>bold</b> & done"


class Chat:
    """What one person does and sees in a window."""

    def __init__(self, window: webdriver.Chrome, server: Server, name: str) -> None:
        self.window, self.server, self.name = window, server, name

    # --- Looking ---

    def find(self, selector: str) -> Any:
        return self.window.find_element(By.CSS_SELECTOR, selector)

    def texts(self, selector: str) -> list[str]:
        """What is to be read there now."""
        found: list[str] = self.window.execute_script(TEXTS, selector)
        return found

    def wait(self, what: str, happens: Callable[[], Any]) -> Any:
        def see(_: Any) -> Any:
            try:
                return happens()
            except WebDriverException:  # what was found is built anew meanwhile
                return False

        return WebDriverWait(self.window, PATIENCE, 0.1).until(see, f"{self.name}: {what}")

    def sees(self, selector: str, text: str) -> None:
        self.wait(f"{text!r} in {selector}", lambda: any(text in shown for shown in self.texts(selector)))

    def sees_no_more(self, selector: str, text: str) -> None:
        self.wait(
            f"no {text!r} in {selector}", lambda: not any(text in shown for shown in self.texts(selector))
        )

    def said(self) -> list[str]:
        """What all messages of the open conversation say."""
        return self.texts("#messages .content")

    def looks_fine(self, state: str) -> None:
        look(self.window, f"chat-{state}")

    # --- Doing ---

    def click(self, path: str, within: str = "body") -> None:
        """Clicks the first element of that XPath that is shown."""

        def try_to() -> bool:
            found = self.find(within).find_elements(By.XPATH, path)
            shown = [one for one in found if one.is_displayed()]
            if shown:
                shown[0].click()
            return bool(shown)

        self.wait(f"{path} in {within}", try_to)

    def press(self, label: str, within: str = "body") -> None:
        self.click(f".//button[normalize-space()='{label}']", within)

    def fill(self, form: str, **fields: str) -> None:
        for name, value in fields.items():
            box = self.find(f"{form} [name={name}]")
            box.clear()
            box.send_keys(value)

    def open(self) -> None:
        self.window.get(f"{self.server.url}/chat")

    def register(self) -> None:
        self.open()
        self.press("Create an account")
        email = f"{self.name}@example.org"
        self.fill("#register", username=self.name, email=email, password=PASSWORD)
        self.press("Create the account")
        self.sees("#conversations", "Nobody has written yet")

    def log_in(self) -> None:
        self.open()
        self.fill("#login", username=self.name, password=PASSWORD)
        self.press("Log in", "#login")

    def choose(self, name: str) -> None:
        self.click(f".//a[contains(., '{name}')]", "#conversations")
        self.sees("#with", name)

    def write(self, text: str) -> None:
        box = self.find("#composer textarea")
        box.send_keys(text)
        self.press("Send", "#composer")

    def act(self, text: str, label: str) -> None:
        """Chooses `label` in the menu of the message that says `text`."""
        self.click(f".//li[.//p[@class='content' and contains(., '{text}')]]/button", "#messages")
        self.press(label, "#menu")

    def go_offline(self, is_offline: bool) -> None:
        network = {"offline": is_offline, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
        self.window.execute_cdp_cmd("Network.enable", {})
        self.window.execute_cdp_cmd("Network.emulateNetworkConditions", network)


@pytest.fixture
def pair(server: Server, browser: webdriver.Chrome, phone: webdriver.Chrome) -> tuple[Chat, Chat]:
    tag = uuid.uuid4().hex[:6]
    return Chat(browser, server, f"alice-{tag}"), Chat(phone, server, f"bob-{tag}")


def no_errors(window: webdriver.Chrome) -> list[str]:
    """What the console complains of, but for what axe provokes."""
    expected = ("Content Security Policy", "DOM]")
    entries: list[dict[str, str]] = window.get_log("browser")  # type: ignore[no-untyped-call]
    return [one["message"] for one in entries if not any(part in one["message"] for part in expected)]


def test_two_people_talk(pair: tuple[Chat, Chat]) -> None:
    alice, bob = pair
    alice.open()
    alice.looks_fine("login")
    alice.press("Create an account")
    alice.looks_fine("register")
    bob.register()
    bob.looks_fine("phone-empty")
    alice.register()

    # She finds him, and he sees it at once.
    alice.fill("#search", search=bob.name)
    alice.sees("#found a", bob.name)
    alice.looks_fine("search")
    alice.click(".//a", "#found")
    alice.write("Shall we meet at noon?")
    bob.sees("#conversations .count", "1")
    bob.wait("the count in the title", lambda: bob.window.title.startswith("(1) "))
    bob.looks_fine("phone-list")
    bob.choose(alice.name)
    bob.sees("#messages .content", "Shall we meet at noon?")
    alice.sees("#messages .foot", "Read")

    # He types, and replies.
    bob.find("#composer textarea").send_keys("A")
    alice.sees("#typing", f"{bob.name} is typing")
    bob.act("Shall we meet", "Reply")
    bob.find("#composer textarea").send_keys("t one", Keys.ENTER)
    bob.press("Send", "#composer")
    alice.sees("#messages blockquote", "Shall we meet at noon?")
    alice.sees("#messages .content", "At one")
    alice.sees_no_more("#typing", "typing")

    # She edits; whatever looks like markup is text.
    alice.act("Shall we meet", "Edit")
    box = alice.find("#composer textarea")
    box.clear()
    box.send_keys(MARKUP)
    alice.press("Save", "#composer")
    bob.sees("#messages .content", MARKUP)
    bob.sees("#messages .foot", "edited")
    assert bob.window.find_elements(By.CSS_SELECTOR, "#messages img, #messages b") == []
    assert bob.window.title == "AI Messaging"
    alice.looks_fine("thread")
    bob.looks_fine("phone-thread")
    assert [no_errors(alice.window), no_errors(bob.window)] == [[], []]


def test_whoever_was_offline_misses_nothing(pair: tuple[Chat, Chat]) -> None:
    alice, bob = _talking(pair)

    bob.go_offline(True)
    bob.sees("#offline", "You are offline")
    for number in range(3):
        alice.write(f"To whom it may reach {number}")
    alice.sees("#messages .content", "reach 2")
    bob.write("From the tunnel")
    bob.sees("#messages .foot", "Waiting for the connection")
    bob.looks_fine("phone-offline")
    assert not any("reach" in text for text in bob.said())
    bob.go_offline(False)

    bob.sees("#messages .content", "reach 2")
    bob.sees_no_more("#messages .foot", "Waiting")
    alice.sees("#messages .content", "From the tunnel")
    for one in (alice, bob):
        texts = [text for text in one.said() if "reach" in text or "tunnel" in text]
        assert sorted(texts) == [
            "From the tunnel",
            *(f"To whom it may reach {number}" for number in range(3)),
        ]
    alice.write("There you are")
    bob.sees("#messages .content", "There you are")
    assert bob.texts("#offline") == []


def test_what_is_deleted_reported_and_blocked(pair: tuple[Chat, Chat], server: Server) -> None:
    alice, bob = _talking(pair)
    alice.write("You are a fool")
    alice.write("So are you all")
    bob.sees("#messages .content", "So are you all")

    alice.act("So are you all", "Delete")
    alice.looks_fine("delete")
    alice.press("Delete", "#ask")
    bob.sees_no_more("#messages .content", "So are you all")

    bob.act("You are a fool", "Report")
    bob.looks_fine("phone-report")
    bob.fill("#ask", title="Insults", content="Make her stop.")
    bob.press("Report", "#ask")
    bob.sees("#notice", "Thank you")

    bob.press("⋯", "#thread header")
    bob.press("Block", "#menu")
    bob.sees("#note", "You blocked this user")
    assert not bob.find("#composer").is_displayed()
    alice.write("Hello?")
    alice.sees("#messages .foot", "Not sent: You cannot message this user")
    alice.looks_fine("refused")
    alice.press("Discard", "#messages")
    assert "Hello?" not in alice.said()

    bob.find(".back").click()
    bob.find("#me").click()
    bob.sees("#settings .rows", "Insults")
    bob.sees("#settings .rows", alice.name)
    bob.looks_fine("phone-account")
    bob.press("Unblock", "#settings")
    bob.sees_no_more("#settings .rows", alice.name)
    bob.press("Close", "#settings")
    alice.write("Sorry")
    bob.sees("#conversations .text", "Sorry")


def test_a_search_leads_to_the_message(pair: tuple[Chat, Chat], server: Server) -> None:
    alice, bob = pair
    _, alices = sign_up(server, alice.name)
    bob_id, bobs = sign_up(server, bob.name)
    for number in range(120):
        body = {"recipient_id": bob_id, "content": f"Pearl {number} on the string"}
        answer = server.call("POST", "/messages", alices, json=body)
        assert answer.status_code == 201

    alice.log_in()
    alice.sees("#conversations a", bob.name)
    alice.fill("#search", search="Pearl 7 string")
    alice.sees("#found a", "Pearl 7 on")
    alice.click(".//a[contains(., 'Pearl 7 on')]", "#found")
    alice.sees("#messages .content", "Pearl 7 on the string")
    assert "Pearl 119 on the string" not in alice.said()

    # Both ways from there, nothing is missing and nothing is twice.
    while "Pearl 119 on the string" not in alice.said():
        before = len(alice.said())
        alice.press("Newer messages", "#scroll")
        alice.wait("the page after", lambda: len(alice.said()) > before)  # noqa: B023
    assert alice.said() == [f"Pearl {number} on the string" for number in range(120)]

    # From the end, back to the beginning.
    bob.log_in()
    bob.choose(alice.name)
    bob.sees("#messages .content", "Pearl 119")
    count = {"unread_count": 0}
    bob.wait("all read", lambda: server.call("GET", "/messages/unread/count", bobs).json() == count)
    assert len(bob.said()) == 50
    bob.press("Older messages", "#scroll")
    bob.wait("the page before", lambda: len(bob.said()) == 100)
    bob.press("Older messages", "#scroll")
    bob.wait("the first page", lambda: len(bob.said()) == 120)
    assert bob.said() == [f"Pearl {number} on the string" for number in range(120)]


def test_a_dead_access_token_is_refreshed_once(pair: tuple[Chat, Chat], server: Server) -> None:
    alice, bob = _talking(pair)
    spoil = """
        const tokens = JSON.parse(sessionStorage["aimessage.tokens"]);
        sessionStorage["aimessage.tokens"] = JSON.stringify({...tokens, access: tokens.access + "x"});
        location.reload();
    """
    alice.window.execute_script(spoil)
    alice.sees("#with", bob.name)
    alice.find("#me").click()
    alice.sees("#settings", "This one")
    alice.looks_fine("account")

    asked = "return performance.getEntriesByType('resource').map(one => one.name)"
    refreshes = [url for url in alice.window.execute_script(asked) if url.endswith("/auth/refresh")]
    assert len(refreshes) == 1

    # A session that ended is one to log in again, wherever the page is open.
    alice.press("Log out everywhere", "#settings")
    alice.sees("#login h2", "Log in")
    assert alice.window.execute_script("return sessionStorage.length") == 0


def test_what_one_changes_of_ones_own_account(pair: tuple[Chat, Chat], server: Server) -> None:
    alice, bob = _talking(pair)
    login = {"username": alice.name, "password": PASSWORD}
    elsewhere = server.call("POST", "/auth/login", json=login).json()["access_token"]
    alice.find("#me").click()
    alice.fill("#settings", full_name="Alice Archer", phone_number="12")
    alice.press("Save the profile", "#settings")
    alice.sees("#settings .error", "phone")
    assert server.call("GET", "/auth/me", elsewhere).json()["full_name"] is None
    alice.fill("#settings", phone_number="+49 30 123456")
    alice.press("Save the profile", "#settings")
    alice.sees("#notice", "Your profile is saved.")
    alice.sees("#me", "Alice Archer")
    me = server.call("GET", "/auth/me", elsewhere).json()
    assert (me["full_name"], me["phone_number"]) == ("Alice Archer", "+4930123456")

    # All other sessions, one by one.
    while count := alice.texts("#settings .rows button").count("End"):
        alice.press("End", "#settings")
        alice.wait("one less", lambda: alice.texts("#settings .rows button").count("End") < count)
    assert server.call("GET", "/auth/me", elsewhere).status_code == 401
    alice.sees("#settings .rows", "This one")

    # Who writes to her sees her name, once the page has asked for it.
    alice.press("Close", "#settings")
    bob.window.refresh()
    bob.sees("#with", "Alice Archer")


def test_an_address_leads_to_its_conversation(pair: tuple[Chat, Chat], server: Server) -> None:
    alice, bob = pair
    alice_id, alices = sign_up(server, alice.name)
    _, bobs = sign_up(server, bob.name)
    path = f"/auth/conversations/book-club:{alice_id}/messages"
    body = {"recipient_id": alice_id, "content": "Page 60?"}
    assert server.call("POST", path, bobs, json=body).status_code == 201

    alice.log_in()
    alice.window.execute_script("location.hash = arguments[0]", f"book-club:{alice_id}")
    alice.sees("#with", bob.name)
    alice.window.refresh()
    alice.sees("#messages .content", "Page 60?")
    alice.write("Page 90")
    alice.sees("#messages .foot", "Sent")
    assert len(server.call("GET", path, alices).json()) == 2
    alice.window.back()
    alice.sees("#nothing", "No conversation is open")


def test_the_second_step_of_a_login(pair: tuple[Chat, Chat], server: Server) -> None:
    alice, _ = pair
    _, token = sign_up(server, alice.name)
    proof = {"current_password": PASSWORD}
    secret = server.call("POST", "/auth/second-factor/totp", token, json=proof).json()["secret"]
    code = pyotp.TOTP(secret).now()
    codes = server.call("POST", "/auth/second-factor/totp/confirm", token, json={"code": code}).json()

    alice.log_in()
    alice.sees("#code h2", "Two-factor login")
    alice.looks_fine("code")
    alice.fill("#code", code="BCDFG-HJKLM")
    alice.press("Go on")
    alice.sees("#code .error", "Incorrect code")
    alice.fill("#code", code=codes["recovery_codes"][0])
    alice.press("Go on")
    alice.sees("#conversations", "Nobody has written yet")


def test_the_keyboard_will_do(pair: tuple[Chat, Chat]) -> None:
    alice, _ = _talking(pair)
    keys = webdriver.ActionChains(alice.window)
    focus = "return document.activeElement.className || document.activeElement.id"
    alice.find("#composer textarea").click()

    keys.key_down(Keys.SHIFT).send_keys(Keys.TAB).key_up(Keys.SHIFT).perform()
    assert alice.window.execute_script(focus) == "acts"
    keys.send_keys(Keys.ENTER).perform()
    alice.sees("#menu:popover-open", "Reply")
    assert alice.window.execute_script("return document.activeElement.innerText") == "Reply"
    keys.send_keys(Keys.ESCAPE).perform()
    assert alice.window.execute_script(focus) == "acts"
    keys.send_keys(Keys.ARROW_UP).perform()
    assert "Hi there" in alice.window.execute_script("return document.activeElement.closest('li').innerText")


def test_the_assistant_answers_while_one_watches(browser: webdriver.Chrome, tmp_path: Path) -> None:
    long = Says(" ".join(f"Word{number}." for number in range(400)), drip=0.2, size=40)
    settings = {"AI_MESSAGE_ASSISTANT_MODEL": "stub", "AI_MESSAGE_MAIL_URL": "off"}
    with (
        Stub(long, Says("Of course.")) as stub,
        serving(tmp_path, AI_MESSAGE_ASSISTANT_URL=stub.url, **settings) as server,
    ):
        alice = Chat(browser, server, f"alice-{uuid.uuid4().hex[:6]}")
        sign_up(server, alice.name)
        alice.log_in()
        alice.sees("#conversations .badge", "automated")
        alice.click(".//a", "#conversations")
        alice.sees("#note", "no person")

        # The answer grows, until it is stopped; what was written so far stays.
        alice.write("Tell me everything")
        alice.sees("#messages .foot", "Writing")
        alice.sees("#messages .content", "Word5.")
        alice.looks_fine("assistant")
        alice.press("Stop", "#messages")
        alice.sees_no_more("#messages .foot", "Writing")
        alice.sees("#messages .content", "Word5.")
        assert not any("Word399." in text for text in alice.said())

        alice.write("Can you be brief?")
        alice.sees("#messages .content", "Of course.")
        assert len(alice.said()) == 4
        alice.sees("#about", "automated")


def test_a_person_answers_in_the_assistants_place(
    browser: webdriver.Chrome, phone: webdriver.Chrome, tmp_path: Path
) -> None:
    grows = Says(" ".join(f"Word{number}." for number in range(40)), drip=0.2, size=20)
    settings = {"AI_MESSAGE_ASSISTANT_MODEL": "stub", "AI_MESSAGE_MAIL_URL": "off"}
    with (
        Stub(grows, Says("Your order is on its way.")) as stub,
        serving(tmp_path, AI_MESSAGE_ASSISTANT_URL=stub.url, **settings) as server,
    ):
        alice = Chat(phone, server, "alice")
        for name in ("alice", "maria"):
            sign_up(server, name)
        server.manage("shell", "-c", MAKE_MODERATOR.format(name="maria"))
        alice.log_in()
        alice.click(".//a[contains(., 'Ask a question')]", "#conversations")

        # She asks, and sees the answer grow.
        alice.write("Where is my order?")
        alice.sees("#messages .foot", "Writing")
        alice.sees("#messages .content", "Word5.")
        assert not any("Word39." in text for text in alice.said())
        alice.sees("#messages .content", "Word39.")
        alice.sees_no_more("#messages .foot", "Writing")

        # She asks for a person; from then on the assistant is silent.
        alice.press("⋯", "#thread header")
        alice.press("Ask for a person", "#menu")
        alice.sees("#messages .content", "I have asked a person to look at this.")
        alice.sees("#note", "A person answers here.")
        alice.write("It is number 42.")
        alice.sees("#messages .foot", "Sent")
        alice.looks_fine("phone-handed-over")

        # A moderator sees what was said, answers, and resolves the report.
        log_in_to_admin(browser, server, "maria")
        browser.get(f"{server.url}/admin/reports/report/")
        leave(browser, browser.find_element(By.LINK_TEXT, "Asks for a person"))
        talk = find(browser, "ol.talk").text
        assert all(said in talk for said in ("Where is my order?", "Word39.", "It is number 42."))
        look(browser, "desk-handed-over")
        find(browser, "#id_answer").send_keys("It left <b>today</b>.")
        press(browser, "Send the answer")
        assert "Sent, from the assistant's account under your name." in told(browser)
        assert "It left <b>today</b>." in find(browser, "ol.talk").text
        alice.sees("#messages .content", "maria (support): It left <b>today</b>.")
        alice.sees("#note", "A person answers here.")
        press(browser, "Resolve")
        assert "Resolved." in told(browser)

        # The assistant answers again, and knows nothing of what was said before.
        alice.sees("#note", "no person")
        alice.write("And when does it come?")
        alice.sees("#messages .content", "Your order is on its way.")
        alice.sees("#note", "no person")
        assert len(stub.requests) == 2
        assert stub.said() == [("user", "And when does it come?")]

        # The command asks for a person as well; she takes that back.
        alice.write("/human")
        alice.sees("#note", "A person answers here.")
        alice.press("⋯", "#thread header")
        alice.press("Let the assistant answer again", "#menu")
        alice.sees("#note", "no person")
        alice.write("Thank you")
        alice.wait("an answer", lambda: alice.said()[-1] == "Your order is on its way.")
        assert [no_errors(phone), no_errors(browser)] == [[], []]


def _talking(pair: tuple[Chat, Chat]) -> tuple[Chat, Chat]:
    """The two, logged in, with the conversation of both open."""
    alice, bob = pair
    bob_id, bobs = sign_up(alice.server, bob.name)
    alice_id, alices = sign_up(alice.server, alice.name)
    alice.server.call("POST", "/messages", alices, json={"recipient_id": bob_id, "content": "Hi there"})
    alice.server.call("POST", "/messages", bobs, json={"recipient_id": alice_id, "content": "Good morning"})
    for one, other in ((alice, bob), (bob, alice)):
        one.log_in()
        one.choose(other.name)
        one.sees("#messages .content", "Good morning")
    return alice, bob
