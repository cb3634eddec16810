"""The pages by which superusers watch channels."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from accounts.models import User
from channels.models import Delivery, Sender
from channels.tests.carrying import PHONE, carry, link, reply, text_in
from channels.tests.twilio_stub import Step, TwilioStub

Browser = Callable[[User], Client]
PAGES = ["sender", "address", "delivery"]
SECRET = "Meet me at the harbour"


@pytest.fixture
def delivery(desk: User, alice: User, twilio: TwilioStub) -> Delivery:
    link(alice)
    text_in(SECRET)
    [delivery] = reply(desk, alice, SECRET)
    twilio.steps.append(Step(400, 21614))
    carry()
    delivery.refresh_from_db()
    return delivery


@pytest.mark.parametrize("page", PAGES)
def test_superusers_see_numbers_and_states_and_no_texts(
    superuser: User, delivery: Delivery, browser_of: Browser, page: str
) -> None:
    browser = browser_of(superuser)
    listed = browser.get(f"/admin/channels/{page}/")
    rows = {"sender": Sender.objects.get().pk, "address": delivery.thread.address_id, "delivery": delivery.pk}
    shown = browser.get(f"/admin/channels/{page}/{rows[page]}/change/")

    for answer in (listed, shown):
        assert answer.status_code == 200
        text = answer.content.decode()
        assert (PHONE if page != "sender" else "+15005550006") in text
        assert SECRET not in text


@pytest.mark.parametrize("page", PAGES)
def test_nobody_else_sees_them(
    moderator: User, clerk: User, delivery: Delivery, browser_of: Browser, page: str
) -> None:
    for user in (moderator, clerk):
        assert browser_of(user).get(f"/admin/channels/{page}/").status_code == 403


def act(browser: Client, page: str, action: str, pk: int) -> Any:
    form = {"action": action, "_selected_action": [pk], "confirmed": "yes"}
    return browser.post(f"/admin/channels/{page}/", form, follow=True)


def test_what_failed_can_be_sent_again(
    superuser: User, delivery: Delivery, twilio: TwilioStub, browser_of: Browser
) -> None:
    browser = browser_of(superuser)
    assert (
        "will be sent again"
        in browser.post(
            "/admin/channels/delivery/", {"action": "send_again", "_selected_action": [delivery.pk]}
        ).content.decode()
    )

    act(browser, "delivery", "send_again", delivery.pk)
    carry()

    delivery.refresh_from_db()
    assert (delivery.state, delivery.error) == ("accepted", "")
    assert twilio.bodies() == [SECRET]
    act(browser, "delivery", "send_again", delivery.pk)
    carry()
    assert len(twilio.messages) == 1


def test_a_paused_number_is_told_of_and_can_be_tried_again(
    desk: User, alice: User, superuser: User, delivery: Delivery, twilio: TwilioStub, browser_of: Browser
) -> None:
    """D1 A42."""
    twilio.steps.append(Step(401, 20003))
    reply(desk, alice, "Second")
    carry()
    browser = browser_of(superuser)
    home = browser.get("/admin/").content.decode()
    assert "sends nothing: Twilio does not accept our key" in home

    act(browser, "sender", "resume", Sender.objects.get().pk)
    carry()

    assert twilio.bodies() == ["Second"]
    assert "sends nothing" not in browser.get("/admin/").content.decode()


def test_what_networks_take_for_spam_is_told_of(
    superuser: User, moderator: User, delivery: Delivery, browser_of: Browser
) -> None:
    for number in range(2, 6):
        Delivery.objects.create(
            message=delivery.message, thread=delivery.thread, part=number, state="failed", error_code=30007
        )
    assert "taken for spam" not in browser_of(superuser).get("/admin/").content.decode()
    Delivery.objects.filter(pk=delivery.pk).update(error_code=30034)

    assert "5 messages</a> of the last day" in browser_of(superuser).get("/admin/").content.decode()
    assert "taken for spam" not in browser_of(moderator).get("/admin/").content.decode()


def test_a_number_gets_an_inbox_of_its_own(
    superuser: User, bob: User, delivery: Delivery, browser_of: Browser
) -> None:
    browser = browser_of(superuser)
    sender = Sender.objects.get()
    page = f"/admin/channels/sender/{sender.pk}/change/"

    assert "There is no such account" in browser.post(page, {"inbox_name": "nobody"}).content.decode()
    browser.post(page, {"inbox_name": "BOB"})
    sender.refresh_from_db()
    assert sender.inbox == bob

    browser.post(page, {"inbox_name": ""})
    sender.refresh_from_db()
    assert sender.inbox is None


def test_a_users_page_shows_their_addresses(
    superuser: User, alice: User, delivery: Delivery, browser_of: Browser, settings: Settings
) -> None:
    delivery.thread.address.opted_out_at = timezone.now()
    delivery.thread.address.save()
    page = browser_of(superuser).get(f"/admin/accounts/user/{alice.pk}/change/").content.decode()
    assert "SMS and WhatsApp" in page
    assert PHONE in page
    assert "wants no messages" in page

    settings.TWILIO = None
    page = browser_of(superuser).get(f"/admin/accounts/user/{alice.pk}/change/").content.decode()
    assert "SMS and WhatsApp" not in page


def test_a_deletion_says_what_it_takes_along(
    superuser: User, alice: User, delivery: Delivery, browser_of: Browser
) -> None:
    page = browser_of(superuser).get(f"/admin/accounts/user/{alice.pk}/delete/").content.decode()

    assert "1 address for SMS or WhatsApp" in page
