"""However many race for an invitation, nobody gets more of it than there is."""

from typing import Any

import pytest
from pytest_django import Settings
from rest_framework.test import APIClient

from accounts.models import Invitation, User
from aimessage.tests.asserts import assert_problem
from aimessage.tests.threads import run_together
from tests.factories import PASSWORD, InvitationFactory

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgres]

RACERS = 20


@pytest.fixture(autouse=True)
def _by_invitation(settings: Settings) -> None:
    settings.REGISTRATION = "invite"


def race(names: list[str]) -> list[Any]:
    def register(name: str) -> Any:
        account = {"username": name, "email": f"{name}@example.org", "password": PASSWORD}
        return APIClient().post("/auth/register", {**account, "invitation": "code"})

    return run_together(*(lambda name=name: register(name) for name in names))


def test_of_twenty_as_many_come_in_as_there_are_uses() -> None:
    InvitationFactory(code="code", max_uses=3)

    answers = race([f"dave{number}" for number in range(RACERS)])

    assert sorted(answer.status_code for answer in answers) == [201] * 3 + [400] * 17
    for answer in answers:
        if answer.status_code == 400:
            assert_problem(answer, 400, "Invitation is not valid")
    assert (User.objects.count(), Invitation.objects.get().uses) == (3, 3)


def test_those_who_are_refused_use_none_up() -> None:
    InvitationFactory(code="code", max_uses=RACERS)

    answers = race(["dave"] * RACERS)

    assert sorted(answer.status_code for answer in answers) == [201] + [400] * (RACERS - 1)
    assert (User.objects.count(), Invitation.objects.get().uses) == (1, 1)


def test_of_the_last_use_somebody_gets_the_benefit() -> None:
    """Half of them ask for a name that is taken: none of these may keep the use from the others."""
    User.objects.create_user("taken", "taken@example.org", PASSWORD)
    InvitationFactory(code="code", max_uses=1)

    answers = race(["taken", "dave"] * (RACERS // 2))

    assert sorted(answer.status_code for answer in answers) == [201] + [400] * (RACERS - 1)
    assert (User.objects.count(), Invitation.objects.get().uses) == (2, 1)
