"""Mails about logins from a device and network that have not been seen of late."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from rest_framework.test import APIClient
from time_machine import TimeMachineFixture

from accounts.events import EndReason
from accounts.models import Session, User
from accounts.services.sessions import end_sessions, open_session
from accounts.tests.mailbox import deliver
from aimessage.mail.models import Mail
from aimessage.tests.threads import run_together
from tests.factories import PASSWORD

pytestmark = pytest.mark.django_db

PHONE, LAPTOP = "Phone/7", "Laptop/3"
HOME = "203.0.113.7"


@pytest.fixture
def alice(alice: User) -> User:
    """She logged in once, from her phone at home."""
    User.objects.update(email_verified_at=timezone.now())
    alice.refresh_from_db()
    open_session(alice, device_info=PHONE, ip_address=HOME)
    return alice


def log_in(user: User, device: str | None = PHONE, address: str | None = HOME) -> Session:
    return open_session(user, device_info=device, ip_address=address)[0]


def told() -> int:
    return Mail.objects.filter(kind="new_login").count()


def test_the_first_login_is_expected(alice: User) -> None:
    assert told() == 0


@pytest.mark.parametrize(
    ("device", "address", "mails"),
    [
        (PHONE, HOME, 0),
        (PHONE, "203.0.113.250", 0),
        (PHONE, "::ffff:203.0.113.9", 0),
        (PHONE, "203.0.114.7", 1),
        (PHONE, "2001:db8::1", 1),
        (PHONE, None, 1),
        (LAPTOP, HOME, 1),
        (None, HOME, 1),
    ],
)
def test_another_device_or_network_is_told(
    alice: User, device: str | None, address: str | None, mails: int
) -> None:
    log_in(alice, device, address)
    assert told() == mails
    # From now on it is known.
    log_in(alice, device, address)
    assert told() == mails


def test_an_ipv6_network_is_a_48(alice: User) -> None:
    log_in(alice, PHONE, "2001:db8:1:1::1")
    log_in(alice, PHONE, "2001:db8:1:ffff::2")
    assert told() == 1
    log_in(alice, PHONE, "2001:db8:2::1")
    assert told() == 2


def test_both_have_to_have_been_seen_in_one_session(alice: User) -> None:
    log_in(alice, LAPTOP, "198.51.100.1")
    log_in(alice, LAPTOP, HOME)

    assert told() == 2


def test_a_session_that_ended_is_remembered_for_30_days(
    alice: User, time_machine: TimeMachineFixture
) -> None:
    end_sessions(Session.objects.all(), reason=EndReason.LOGOUT)
    time_machine.move_to(timezone.now() + timedelta(days=29))
    log_in(alice)
    assert told() == 0

    time_machine.move_to(timezone.now() + timedelta(days=31))
    log_in(alice)
    assert told() == 1


def test_a_session_that_is_used_is_remembered(alice: User) -> None:
    Session.objects.update(created_at=timezone.now() - timedelta(days=80))
    log_in(alice)

    assert told() == 0


def test_it_says_from_where(alice: User) -> None:
    body = {"username": "alice", "password": PASSWORD}
    answer = APIClient().post("/auth/login", body, headers={"User-Agent": "Evil/1"}, REMOTE_ADDR="192.0.2.9")
    assert answer.status_code == 200

    (message,) = deliver()

    assert (message.subject, message.to) == ("New login to AI Messaging", [alice.email])
    for text in (str(message.body), str(message.alternatives[0][0])):
        assert "Evil/1" in text
        assert "192.0.2.9" in text
    assert "192.0.2.9" not in str(list(Mail.objects.values()))


@pytest.mark.parametrize("change", [{"notify_logins": False}, {"email_verified_at": None}])
def test_who_does_not_want_it_or_has_no_verified_address_is_not_told(
    alice: User, change: dict[str, Any]
) -> None:
    User.objects.update(**change)
    log_in(alice, LAPTOP)

    assert told() == 0


def test_a_wrong_password_is_no_login(alice: User) -> None:
    APIClient().post("/auth/login", {"username": "alice", "password": "wrong"})

    assert told() == 0


def test_invented_devices_make_no_storm(alice: User, time_machine: TimeMachineFixture) -> None:
    for number in range(12):
        log_in(alice, f"Robot/{number}")
    assert told() == 5

    time_machine.move_to(timezone.now() + timedelta(minutes=61))
    log_in(alice, LAPTOP)
    assert told() == 6


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_logins_at_once_from_one_place_are_told_once(alice: User) -> None:
    run_together(*[lambda: log_in(alice, LAPTOP)] * 20)

    assert told() == 1
