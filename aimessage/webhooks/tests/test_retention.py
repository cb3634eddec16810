from datetime import timedelta

import pytest
from django.utils import timezone

from aimessage.jobs.running import run_due
from aimessage.webhooks.jobs import dispatch
from aimessage.webhooks.models import Attempt, Delivery, Endpoint
from aimessage.webhooks.pruning import sweep
from aimessage.webhooks.services import NothingKept, replay, send_test

pytestmark = pytest.mark.django_db


@pytest.fixture
def delivered(endpoint: Endpoint) -> Delivery:
    delivery = send_test(endpoint)
    dispatch()
    run_due("webhooks")
    return delivery


def settled(**ago: int) -> None:
    Delivery.objects.update(settled_at=timezone.now() - timedelta(**ago))


def test_bodies_and_answers_go_after_three_days(delivered: Delivery) -> None:
    settled(days=2, hours=23)
    assert sweep() == {"deliveries": 0, "bodies of deliveries": 0}
    settled(days=3, seconds=1)
    assert sweep(dry_run=True) == {"deliveries": 0, "bodies of deliveries": 1}
    assert Delivery.objects.get().body

    assert sweep() == {"deliveries": 0, "bodies of deliveries": 1}

    assert Delivery.objects.get().body is None
    assert Attempt.objects.get().answer is None
    with pytest.raises(NothingKept):
        replay(delivered)


def test_rows_go_after_a_month(delivered: Delivery) -> None:
    settled(days=30, seconds=1)

    sweep()

    assert not Delivery.objects.exists()
    assert not Attempt.objects.exists()


def test_what_is_pending_stays(endpoint: Endpoint) -> None:
    delivery = send_test(endpoint)
    Delivery.objects.update(created_at=timezone.now() - timedelta(days=40))

    sweep()

    delivery.refresh_from_db()
    assert delivery.body
