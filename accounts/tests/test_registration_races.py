from typing import Any

import pytest
from rest_framework.test import APIClient

from accounts.models import User
from aimessage.tests.asserts import assert_problem
from aimessage.tests.threads import run_together

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgres]

RACERS = 20


def race(**fields: list[str]) -> list[Any]:
    """Each of the racers registers with its own value of every field."""

    def register(number: int) -> Any:
        sent = {name: values[number % len(values)] for name, values in fields.items()}
        return APIClient().post("/auth/register", {**sent, "password": "violet-tractor-42"})

    return run_together(*(lambda number=number: register(number) for number in range(RACERS)))


def assert_one_won(answers: list[Any], detail: str) -> None:
    assert sorted(answer.status_code for answer in answers) == [201] + [400] * (RACERS - 1)
    for answer in answers:
        if answer.status_code == 400:
            assert_problem(answer, 400, detail)
    assert User.objects.count() == 1


def test_one_of_many_gets_a_username() -> None:
    answers = race(
        username=["dave", "Dave", "DAVE"], email=[f"dave{number}@example.org" for number in range(RACERS)]
    )

    assert_one_won(answers, "Username already registered")


def test_one_of_many_gets_an_email() -> None:
    answers = race(
        username=[f"dave{number}" for number in range(RACERS)], email=["dave@example.org", "Dave@Example.org"]
    )

    assert_one_won(answers, "Email already registered")
