"""What a user is told by mail without having asked, each by what the API or the clock did."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone
from pytest_django import Settings
from rest_framework.test import APIClient

from accounts.models import PendingDeletion, SecondFactor, User
from accounts.services.leaving import sweep
from accounts.tests.factors import Phone, enrol, log_in
from accounts.tests.mailbox import deliver, token_in
from conftest import ApiClient
from tests.factories import PASSWORD

pytestmark = pytest.mark.django_db

PROOF = {"current_password": PASSWORD}


@pytest.fixture(autouse=True)
def _verified(alice: User) -> None:
    User.objects.update(email_verified_at=timezone.now(), last_login=timezone.now())
    alice.refresh_from_db()


def change_password(me: APIClient, user: User) -> None:
    me.put("/auth/me/password", {**PROOF, "new_password": "amber-kettle-77"})


def reset_password(me: APIClient, user: User) -> None:
    me.post("/auth/password/reset", {"email": user.email})
    sent = {"token": token_in(deliver()[0]), "new_password": "amber-kettle-77"}
    me.post("/auth/password/reset/confirm", sent)


def turn_on(me: APIClient, user: User) -> list[str]:
    phone = Phone(me.post("/auth/second-factor/totp", PROOF).json()["secret"])
    confirmed = me.post("/auth/second-factor/totp/confirm", {"code": phone.code()})
    codes: list[str] = confirmed.json()["recovery_codes"]
    return codes


def turn_off(me: APIClient, user: User) -> None:
    codes = turn_on(me, user)
    deliver()
    me.post("/auth/second-factor/remove", {**PROOF, "recovery_code": codes[0]})


def use_a_recovery_code(me: APIClient, user: User) -> None:
    codes = turn_on(me, user)
    deliver()
    me.post("/auth/me/export", {"current_password": "wrong", "recovery_code": codes[0]})
    me.post("/auth/tokens", {**PROOF, "name": "", "scopes": [], "recovery_code": codes[0]})
    me.post("/auth/me/export", {**PROOF, "recovery_code": codes[0]})


def guess_codes(me: APIClient, user: User) -> None:
    turn_on(me, user)
    deliver()
    for _ in range(10):
        assert deliver() == []
        log_in(APIClient(), code="no code")


def make_a_token(me: APIClient, user: User) -> None:
    me.post("/auth/tokens", {**PROOF, "name": "Nightly <backup>", "scopes": ["messages:read"]})


def change_address(me: APIClient, user: User) -> None:
    me.put("/auth/me/email", {**PROOF, "email": "alice@new.example"})
    me.post("/auth/email/verify", {"token": token_in(deliver()[0])})


def log_in_elsewhere(me: APIClient, user: User) -> None:
    log_in(APIClient())


def leave(me: APIClient, user: User) -> None:
    me.post("/auth/me/delete", PROOF)


def be_deleted(me: APIClient, user: User) -> None:
    leave(me, user)
    deliver()
    PendingDeletion.objects.update(deletion_at=timezone.now() - timedelta(seconds=1))
    sweep()


#: By what was done: the subject, and some words of each mail.
TOLD: dict[Callable[..., None], list[tuple[str, str]]] = {
    change_password: [("Your AI Messaging password was changed", "alice")],
    reset_password: [("Your AI Messaging password was changed", "alice")],
    turn_on: [("Two-factor login is on at AI Messaging", "was turned on")],
    turn_off: [
        ("A recovery code was used at AI Messaging", "9 are left"),
        ("Two-factor login is off at AI Messaging", "was turned off"),
    ],
    use_a_recovery_code: [
        ("A recovery code was used at AI Messaging", "9 are left"),
        ("Your data was downloaded from AI Messaging", "downloaded as a file"),
    ],
    guess_codes: [("Somebody may have your AI Messaging password", "who has your password")],
    make_a_token: [("A personal token was made at AI Messaging", "Nightly")],
    change_address: [("The e-mail address of your AI Messaging account was changed", "alice")],
    log_in_elsewhere: [("New login to AI Messaging", "127.0.0.1")],
    leave: [("Your AI Messaging account will be deleted", "/account/undelete?token=")],
    be_deleted: [("Your AI Messaging account was deleted", "alice")],
}


@pytest.mark.parametrize("act", TOLD, ids=lambda act: act.__name__)
def test_it_is_told(as_user: ApiClient, alice: User, settings: Settings, act: Callable[..., None]) -> None:
    settings.LOCKOUT_FAILURES = 0
    me = as_user(alice, device_info="Phone", ip_address="203.0.113.7")
    deliver()

    act(me, alice)
    mails = deliver()

    assert [mail.subject for mail in mails] == [subject for subject, _ in TOLD[act]]
    # To the address that was the user's before, where that changed.
    assert all(mail.to == [alice.email] for mail in mails)
    for mail, (_, words) in zip(mails, TOLD[act], strict=True):
        assert words in str(mail.body)
        assert "Nightly <backup>" not in str(mail.alternatives[0][0])


@pytest.mark.parametrize("act", TOLD, ids=lambda act: act.__name__)
def test_an_address_that_is_not_verified_is_told_of_its_deletion_alone(
    as_user: ApiClient, alice: User, settings: Settings, act: Callable[..., None]
) -> None:
    if act in {reset_password, change_address}:  # which verify it, or tell it where it was
        return
    settings.LOCKOUT_FAILURES = 0
    User.objects.update(email_verified_at=None)
    alice.refresh_from_db()
    me = as_user(alice, device_info="Phone", ip_address="203.0.113.7")

    act(me, alice)

    assert [mail.subject for mail in deliver()] == (
        [subject for subject, _ in TOLD[act]] if act in {leave, be_deleted} else []
    )


@pytest.mark.parametrize("act", [leave, be_deleted], ids=lambda act: act.__name__)
def test_with_mail_off_all_goes_on_without(
    as_user: ApiClient, alice: User, settings: Settings, act: Callable[..., None]
) -> None:
    settings.MAIL_ON = False

    act(as_user(alice), alice)

    assert deliver() == []
    assert not User.objects.filter(is_active=True).exists()


def test_every_tenth_wrong_code_in_a_row_is_told(alice: User) -> None:
    enrol(alice)
    SecondFactor.objects.update(failures=18)
    deliver()
    log_in(APIClient(), code="no code")
    assert deliver() == []
    log_in(APIClient(), code="no code")

    assert [mail.subject for mail in deliver()] == ["Somebody may have your AI Messaging password"]
