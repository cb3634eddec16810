from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from rest_framework.test import APIClient

from accounts.models import RefreshToken, Session, User
from aimessage.tests.threads import run_together
from conftest import ApiClient
from tests.factories import PASSWORD

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgres]

RACERS = 12
ROUNDS = 5


def refresh(token: str) -> Any:
    return APIClient().post("/auth/refresh", {"refresh_token": token})


def get_me(token: str) -> int:
    status: int = APIClient().get("/auth/me", HTTP_AUTHORIZATION=f"Bearer {token}").status_code
    return status


def test_of_many_refreshes_of_one_token_exactly_one_wins_and_the_session_lives(
    as_user: ApiClient, alice: User
) -> None:
    token = as_user(alice).tokens.refresh_token

    answers = run_together(*[lambda: refresh(token)] * RACERS)

    assert sorted(answer.status_code for answer in answers) == [200] + [401] * (RACERS - 1)
    assert Session.objects.live().count() == 1
    assert RefreshToken.objects.count() == 2
    winner = next(answer.json() for answer in answers if answer.status_code == 200)
    assert get_me(winner["access_token"]) == 200
    assert refresh(winner["refresh_token"]).status_code == 200


def log_out(laptop: APIClient, token: str) -> Any:
    return laptop.post("/auth/logout", {"refresh_token": token})


def log_out_everywhere(laptop: APIClient, token: str) -> Any:
    return laptop.post("/auth/logout-all")


def change_password(laptop: APIClient, token: str) -> Any:
    sent = {"current_password": PASSWORD, "new_password": "amber-kettle-77"}
    return laptop.put("/auth/me/password", sent)


@pytest.mark.parametrize("end", [log_out, log_out_everywhere, change_password])
def test_a_refresh_that_races_with_the_end_of_its_session_leaves_nothing_alive(
    as_user: ApiClient, alice: User, end: Callable[[APIClient, str], Any]
) -> None:
    for _ in range(ROUNDS):
        laptop = as_user(alice)
        token = as_user(alice).tokens.refresh_token

        ended, refreshed = run_together(partial(end, laptop, token), partial(refresh, token))

        assert ended.status_code == 200
        assert refreshed.status_code in (200, 401)
        if refreshed.status_code == 200:
            assert get_me(refreshed.json()["access_token"]) == 401
            assert refresh(refreshed.json()["refresh_token"]).status_code == 401
        User.objects.filter(pk=alice.pk).update(password=alice.password)
