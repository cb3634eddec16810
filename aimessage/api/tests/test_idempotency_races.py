import pytest
from django.db.models import Model

from accounts.models import User
from aimessage.api.tests.test_idempotency import MAKES, post
from aimessage.tests.threads import run_together
from conftest import ApiClient

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgres]

RACERS = 10


@MAKES
def test_however_many_requests_race_one_resource_is_made(
    as_user: ApiClient, alice: User, bob: User, path: str, model: type[Model]
) -> None:
    clients = [as_user(alice) for _ in range(RACERS)]

    answers = run_together(*(lambda client=client: post(client, path, bob) for client in clients))

    assert [answer.status_code for answer in answers] == [201] * RACERS
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert sum("Idempotent-Replayed" in answer.headers for answer in answers) == RACERS - 1
    assert model._default_manager.count() == 1
