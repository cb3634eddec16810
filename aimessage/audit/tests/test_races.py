"""Acts at one moment make one chain, and wait for nobody in a circle."""

from threading import Barrier

import pytest
from django.db import transaction
from django.test import Client, RequestFactory

from accounts.models import User
from aimessage.audit.acting import acting, record
from aimessage.audit.chain import current_head, verify_chain
from aimessage.audit.models import Entry, Head
from aimessage.audit.tests.trails import trail
from aimessage.tests.threads import run_together
from tests.factories import UserFactory

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgres]

USERS = "/admin/accounts/user/"


def browser_of(user: User) -> Client:
    browser = Client()
    browser.force_login(user, backend="accounts.backends.AccountBackend")
    return browser


def held(rows: int) -> None:
    assert list(verify_chain(current_head()))[-1] == rows == Entry.objects.count()


def test_twenty_acts_at_once_make_one_chain() -> None:
    rulers = UserFactory.create_batch(20, is_superuser=True)
    others = UserFactory.create_batch(20)
    desks = [(browser_of(ruler), other) for ruler, other in zip(rulers, others, strict=True)]

    def disable(desk: Client, user: User) -> int:
        return desk.post(
            USERS, {"action": "disable", "_selected_action": [user.pk], "confirmed": "yes"}
        ).status_code

    answers = run_together(*[lambda pair=pair: disable(*pair) for pair in desks])

    assert answers == [302] * 20
    held(20)
    assert {entry.target_label for entry in Entry.objects.all()} == {user.username for user in others}


def test_the_first_rows_of_all_come_at_once() -> None:
    run_together(*[lambda: trail(1)] * 20)

    assert Head.objects.get().number == 20
    held(20)


def test_the_head_is_locked_after_everything_else() -> None:
    """Were it locked with the first of several acts, these two would each hold what the other waits for."""
    ruth = UserFactory(is_superuser=True)
    alice, bob = UserFactory.create_batch(2)
    both_recorded = Barrier(2)

    def act(*users: User) -> None:
        request = RequestFactory().post("/")
        request.user = ruth
        with acting():
            for user in users:
                User.objects.select_for_update().get(pk=user.pk)
                record(request, "user.disabled", "Disabled.", target=user)
                if user == users[0]:
                    both_recorded.wait(timeout=10)

    run_together(lambda: act(alice, bob), lambda: act(bob))

    held(3)


def test_two_who_act_on_one_user_make_two_rows_in_the_order_of_the_acts() -> None:
    ruth, rick = UserFactory.create_batch(2, is_superuser=True)
    bob = UserFactory(username="bob")
    data = {"_selected_action": [bob.pk], "confirmed": "yes"}
    desks = [browser_of(ruth), browser_of(rick)]

    run_together(
        lambda: desks[0].post(USERS, {**data, "action": "disable"}),
        lambda: desks[1].post(USERS, {**data, "action": "grant_superuser"}),
    )

    held(2)
    bob.refresh_from_db()
    assert {entry.act for entry in Entry.objects.all()} == {"user.disabled", "user.made_superuser"}
    assert (bob.is_active, bob.is_superuser) == (False, True)


def test_an_act_waits_for_the_one_before_and_continues_it() -> None:
    def slow() -> None:
        with transaction.atomic():
            trail(1)
            trail(1)

    run_together(slow, slow, slow)

    held(6)
