"""Mails about logins from a device and network that have not been seen of late."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient
from time_machine import TimeMachineFixture

from accounts.events import EndReason
from accounts.models import Session, User
from accounts.services.sessions import end_sessions, open_session, sweep
from accounts.tests.factors import enrol
from accounts.tests.mailbox import deliver
from accounts.tokens import issue_pair
from aimessage.api.guesses import HashQueue
from aimessage.mail.models import Mail
from aimessage.tests.threads import run_together
from tests.factories import PASSWORD

pytestmark = pytest.mark.django_db

PHONE, LAPTOP = "Phone/7", "Laptop/3"
HOME = "203.0.113.7"


@pytest.fixture(autouse=True)
def _known_device(alice: User) -> None:
    """alice logged in once, from her phone at home."""
    User.objects.update(email_verified_at=timezone.now())
    alice.refresh_from_db()
    open_session(alice, device_info=PHONE, ip_address=HOME)


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


# --- The admin's door ---


@pytest.fixture
def staff(alice: User) -> User:
    User.objects.update(is_staff=True, is_superuser=True)
    alice.refresh_from_db()
    return alice


def enter(device: str = PHONE, address: str = HOME, password: str = PASSWORD) -> int:
    form = {"username": "alice", "password": password}
    browser = Client(headers={"User-Agent": device}, REMOTE_ADDR=address)
    return browser.post("/admin/login/", form).status_code


def test_a_login_to_the_admin_is_told_and_remembered(staff: User) -> None:
    assert enter(LAPTOP, "192.0.2.9") == 302

    (message,) = deliver()

    assert message.subject == "New login to AI Messaging"
    assert "Laptop/3" in str(message.body)
    assert "192.0.2.9" in str(message.body)
    assert enter(LAPTOP, "192.0.2.77") == 302
    log_in(staff, LAPTOP, "192.0.2.9")  # known to the API, too
    assert told() == 1


def test_what_the_api_has_seen_is_known_to_the_admin(staff: User) -> None:
    assert enter(PHONE, HOME) == 302
    assert told() == 0


def test_only_a_login_is_told(staff: User) -> None:
    enter(LAPTOP, "192.0.2.9", "wrong")
    enrol(staff)
    assert enter(LAPTOP, "192.0.2.9") == 200  # without the code
    User.objects.update(is_staff=False, is_superuser=False)
    enter(LAPTOP, "192.0.2.9")

    assert told() == 0


@pytest.mark.parametrize(
    "change", [{"notify_logins": False}, {"email_verified_at": None}, {"last_login": None}]
)
def test_who_is_not_told_of_logins_is_not_told_of_these(staff: User, change: dict[str, Any]) -> None:
    User.objects.update(**change)
    assert enter(LAPTOP) == 302

    assert told() == 0


def test_what_remembers_a_login_to_the_admin_opens_nothing(staff: User, client: APIClient) -> None:
    enter(LAPTOP)
    row = Session.objects.latest("pk")

    assert (row.user, row.device_info, row.ip_address) == (staff, LAPTOP, HOME)
    assert not Session.objects.live().filter(pk=row.pk).exists()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {issue_pair(row).access_token}")
    assert client.get("/auth/me").status_code == 401


def test_it_is_remembered_for_30_days(staff: User, time_machine: TimeMachineFixture) -> None:
    enter(LAPTOP)
    time_machine.move_to(timezone.now() + timedelta(days=29))
    sweep()
    enter(LAPTOP)
    assert told() == 1

    time_machine.move_to(timezone.now() + timedelta(days=31))
    sweep()
    assert not Session.objects.filter(device_info=LAPTOP).exists()
    enter(LAPTOP)
    assert told() == 2


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_logins_to_the_admin_at_once_from_one_place_are_told_once(
    staff: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("accounts.guesses.QUEUE", HashQueue(20))

    assert run_together(*[lambda: enter(LAPTOP)] * 20) == [302] * 20
    assert told() == 1


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_logins_at_once_from_one_place_are_told_once(alice: User) -> None:
    run_together(*[lambda: log_in(alice, LAPTOP)] * 20)

    assert told() == 1
