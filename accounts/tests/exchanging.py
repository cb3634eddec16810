"""Asking for an exchange."""

from typing import Any

from rest_framework.test import APIClient

from accounts.models import Session, UsedAssertion, User
from aimessage.tests.asserts import assert_problem
from tests.assertions import sign_assertion


def exchange(client: APIClient, assertion: Any = None, **changed: Any) -> Any:
    return client.post("/auth/exchange", {"assertion": assertion or sign_assertion(**changed)})


def assert_refused(client: APIClient, assertion: Any) -> None:
    before = User.objects.count(), Session.objects.count(), UsedAssertion.objects.count()
    answer = client.post("/auth/exchange", {"assertion": assertion})

    assert_problem(answer, 401, "Assertion is invalid or expired", code="invalid_token")
    assert before == (User.objects.count(), Session.objects.count(), UsedAssertion.objects.count())
