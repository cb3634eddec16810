from typing import Any

import pytest
from rest_framework.test import APIClient

from accounts.models import MailSecret, User
from accounts.tests.mailbox import code_in, deliver, token_in
from aimessage.tests.asserts import assert_problem
from aimessage.tests.threads import run_together
from conftest import ApiClient
from tests.factories import PASSWORD, UserFactory

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgres]

RACERS = 20


def race(*bodies: dict[str, str]) -> list[int]:
    """The statuses of RACERS requests at once, each with the next of `bodies`."""

    def confirm(number: int) -> Any:
        sent = {"new_password": f"amber-kettle-{number}", **bodies[number % len(bodies)]}
        return APIClient().post("/auth/password/reset/confirm", sent)

    answers = run_together(*(lambda number=number: confirm(number) for number in range(RACERS)))
    return sorted(answer.status_code for answer in answers)


@pytest.fixture
def message(alice: User) -> Any:
    APIClient().post("/auth/password/reset", {"email": alice.email})
    return deliver()[0]


def test_one_of_many_uses_a_code(message: Any, alice: User) -> None:
    assert race({"email": alice.email, "code": code_in(message)}) == [200] + [400] * (RACERS - 1)


def test_one_of_many_uses_a_link_or_its_code(message: Any, alice: User) -> None:
    code = {"email": alice.email, "code": code_in(message)}

    assert race({"token": token_in(message)}, code) == [200] + [400] * (RACERS - 1)


def test_many_wrong_codes_at_once_are_no_more_tries(message: Any, alice: User) -> None:
    assert race({"email": alice.email, "code": "BBBB-BBBB"}) == [400] * RACERS
    assert MailSecret.objects.get().tries == 5
    assert race({"email": alice.email, "code": code_in(message)}) == [400] * RACERS


def verify_at_once(*tokens: str) -> list[Any]:
    def verify(number: int) -> Any:
        return APIClient().post("/auth/email/verify", {"token": tokens[number % len(tokens)]})

    return run_together(*(lambda number=number: verify(number) for number in range(RACERS)))


def test_one_of_many_uses_a_link_that_verifies(alice: User) -> None:
    APIClient().post("/auth/email/resend", {"email": alice.email})
    (sent,) = deliver()

    statuses = sorted(answer.status_code for answer in verify_at_once(token_in(sent)))

    assert statuses == [200] + [400] * (RACERS - 1)


def test_one_of_many_gets_a_new_address(as_user: ApiClient) -> None:
    new = {"email": "dora@example.org", "current_password": PASSWORD}
    for user in UserFactory.create_batch(RACERS):
        assert as_user(user).put("/auth/me/email", new).status_code == 202

    answers = verify_at_once(*map(token_in, deliver()))

    assert sorted(answer.status_code for answer in answers) == [200] + [400] * (RACERS - 1)
    for answer in answers:
        if answer.status_code == 400:
            assert_problem(answer, 400, "Email already registered")
    assert User.objects.filter(email="dora@example.org").count() == 1
