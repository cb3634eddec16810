import pytest
from pytest_django import Settings
from rest_framework.test import APIClient

from aimessage.models import ThrottleWindow
from aimessage.tests.threads import run_together

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgres]


def test_of_many_requests_at_once_exactly_the_rate_gets_through(settings: Settings) -> None:
    settings.THROTTLE_RATES = {**settings.THROTTLE_RATES, "refresh": (5, 60)}

    answers = run_together(*[lambda: APIClient().post("/auth/refresh", {"refresh_token": "x"})] * 16)

    assert sorted(answer.status_code for answer in answers) == [401] * 5 + [429] * 11
    assert ThrottleWindow.objects.get().count == 16
