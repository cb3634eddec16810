"""Blocks that race."""

from functools import partial

import pytest

from accounts.models import User
from aimessage.tests.threads import run_together
from conftest import ApiClient

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]


def test_parallel_blocks_make_one(as_user: ApiClient, alice: User, mallory: User) -> None:
    body = {"user_id": mallory.pk}

    answers = run_together(*(partial(as_user(alice).post, "/auth/blocks", body) for _ in range(6)))

    assert sorted(answer.status_code for answer in answers) == [200] * 5 + [201]
    assert len({str(answer.json()) for answer in answers}) == 1
    assert alice.blocks.count() == 1
