"""Twenty at once: assertions, new accounts, deletions and who undoes them."""

from typing import Any

import pytest
from pytest_django import Settings
from rest_framework.test import APIClient

from accounts.models import ExternalIdentity, PendingDeletion, Session, UsedAssertion, User
from accounts.services.leaving import (
    cancel_deletion,
    request_deletion,
    sweep,
)
from accounts.tests.mailbox import undo_token
from aimessage.api.problems import Conflict
from aimessage.audit.models import Entry
from aimessage.tests.threads import run_together
from conftest import ApiClient
from messaging.models import Message
from tests.assertions import ISSUER, ISSUER_KEY, sign_assertion
from tests.factories import PASSWORD, MessageFactory, UserFactory

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgres]

RACERS = 20


@pytest.fixture(autouse=True)
def _issuer(settings: Settings) -> None:
    settings.ISSUER, settings.ISSUER_KEY = ISSUER, ISSUER_KEY
    settings.LOCKOUT_FAILURES = 0


def statuses(url: str, bodies: list[dict[str, Any]]) -> list[int]:
    answers = run_together(*(lambda body=body: APIClient().post(url, body) for body in bodies))
    return sorted(answer.status_code for answer in answers)


def test_an_assertion_works_once_however_many_race() -> None:
    assertion = sign_assertion()

    assert statuses("/auth/exchange", [{"assertion": assertion}] * RACERS) == [200] + [401] * (RACERS - 1)
    assert (User.objects.count(), Session.objects.count(), UsedAssertion.objects.count()) == (1, 1, 1)


def test_a_user_gets_one_account_however_many_race() -> None:
    mail = {"email": "dora@example.org", "username": "dora"}
    bodies = [{"assertion": sign_assertion(**mail)} for _ in range(RACERS)]

    assert statuses("/auth/exchange", bodies) == [200] * RACERS
    assert (User.objects.count(), Session.objects.count()) == (1, RACERS)
    assert ExternalIdentity.objects.count() == 1


def test_users_who_want_one_name_get_one_each() -> None:
    # So few that none has to try more often than it does.
    bodies = [{"assertion": sign_assertion(sub=str(number), username="dora")} for number in range(8)]

    assert statuses("/auth/exchange", bodies) == [200] * 8
    assert User.objects.count() == 8


def test_one_of_many_gets_an_address() -> None:
    bodies = [
        {"assertion": sign_assertion(sub=str(number), email="dora@example.org")} for number in range(RACERS)
    ]

    assert statuses("/auth/exchange", bodies) == [200] + [400] * (RACERS - 1)
    assert User.objects.count() == ExternalIdentity.objects.count() == 1


def test_one_of_many_is_linked(settings: Settings) -> None:
    from django.utils import timezone

    settings.ISSUER_LINK = True
    dora = UserFactory(email="dora@example.org", email_verified_at=timezone.now())
    mail = {"email": "dora@example.org", "email_verified": True}
    bodies = [{"assertion": sign_assertion(sub=str(number), **mail)} for number in range(RACERS)]

    assert statuses("/auth/exchange", bodies) == [200] + [400] * (RACERS - 1)
    assert ExternalIdentity.objects.get().user == dora
    assert User.objects.count() == 1


def test_an_account_is_to_be_deleted_once(alice: User, as_user: ApiClient) -> None:
    clients = [as_user(alice) for _ in range(RACERS)]
    answers = run_together(
        *(lambda me=me: me.post("/auth/me/delete", {"current_password": PASSWORD}) for me in clients)
    )

    # Who comes after the first has no session any more, or is told the same.
    assert {answer.status_code for answer in answers} <= {202, 401}
    assert len({answer.json()["deletion_at"] for answer in answers if answer.status_code == 202}) == 1
    assert PendingDeletion.objects.count() == 1


def test_a_deletion_is_undone_once(alice: User) -> None:
    request_deletion(alice, erases=False)
    token = undo_token()
    ways = [{"token": token}, {"username": "alice", "password": PASSWORD}]

    assert statuses("/auth/deletion/cancel", ways * (RACERS // 2)) == [200] + [401] * (RACERS - 1)
    alice.refresh_from_db()
    assert alice.is_active


def test_of_two_last_superusers_one_stays(superuser: User) -> None:
    other = UserFactory(username="other", is_superuser=True)

    def leave(user: User) -> bool:
        try:
            request_deletion(user, erases=False)
        except Exception:
            return False
        return True

    assert sorted(run_together(lambda: leave(superuser), lambda: leave(other))) == [False, True]
    assert User.objects.superusers().count() == 1


def test_sweeps_at_once_delete_an_account_once(alice: User, bob: User, settings: Settings) -> None:
    for _ in range(30):
        MessageFactory(sender=alice, recipient=bob)
    request_deletion(alice, erases=True)
    PendingDeletion.objects.update(deletion_at="2026-01-02T03:04:05Z")

    run_together(*[sweep] * 5)

    assert not User.objects.filter(username="alice").exists()
    assert not Message.objects.exists()
    assert Entry.objects.filter(act="user.deleted").count() == 1


def test_a_deletion_whose_time_has_come_is_not_undone_meanwhile(alice: User) -> None:
    request_deletion(alice, erases=False)
    PendingDeletion.objects.update(deletion_at="2026-01-02T03:04:05Z")

    def cancel() -> str:
        try:
            cancel_deletion(alice, by=alice.pk)
        except Conflict:
            return "refused"
        return "cancelled"

    assert run_together(sweep, cancel, cancel)[1:] == ["refused", "refused"]
    assert not User.objects.exists()


def test_two_who_erase_what_they_sent_each_other_do_not_wait_for_each_other(alice: User, bob: User) -> None:
    for number in range(20):
        MessageFactory(sender=alice, recipient=bob, conversation_id=f"team:{number}")
        MessageFactory(sender=bob, recipient=alice, conversation_id=f"team:{number}")
    for user in (alice, bob):
        request_deletion(user, erases=True)
    PendingDeletion.objects.update(deletion_at="2026-01-02T03:04:05Z")

    run_together(sweep, sweep, sweep)

    assert not Message.objects.exists()
    assert not User.objects.exists()
