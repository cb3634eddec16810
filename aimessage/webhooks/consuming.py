"""Reads new events from the log and makes a delivery for each endpoint that takes them."""

from collections.abc import Iterator, Sequence

from django.utils import timezone

from aimessage.events.kinds import EventRow
from aimessage.events.models import Consumer
from aimessage.events.reading import consume
from aimessage.jobs.loops import Loop, add_loop
from aimessage.webhooks.bodies import build_body
from aimessage.webhooks.jobs import dispatch
from aimessage.webhooks.kinds import Told, tell
from aimessage.webhooks.models import Delivery, Endpoint
from aimessage.webhooks.services import CONSUMER, new_webhook_id

#: Events per page; each page is one transaction.
LIMIT = 200
#: Pages per call, so that the loop returns within seconds.
PAGES = 10


def add_webhook_loops() -> None:
    add_loop(Loop("webhooks.log", read_log, every=0.25, lag=seconds_behind))
    add_loop(Loop("webhooks.dispatch", dispatch, every=0.25))


def read_log() -> int:
    """Returns how many deliveries were made."""
    made = 0
    for _ in range(PAGES):
        count, more = _read_page()
        made += count
        if not more:
            break
    return made


def _read_page() -> tuple[int, bool]:
    """How many deliveries were made, and whether the log has another page."""
    with consume(CONSUMER, LIMIT) as page:
        if page is None:
            return 0, False
        endpoints = list(Endpoint.objects.filter(is_enabled=True))
        told = tell(page.rows) if endpoints else {}
        deliveries = [
            delivery
            for row in page.rows
            if row.id in told
            for delivery in _deliveries_of(row, told[row.id], endpoints)
        ]
        Delivery.objects.bulk_create(deliveries, batch_size=500)
        return len(deliveries), page.more


def _deliveries_of(row: EventRow, told: Told, endpoints: Sequence[Endpoint]) -> Iterator[Delivery]:
    webhook_id, bodies = new_webhook_id(), dict[bool, str]()
    for endpoint in endpoints:
        if not endpoint.takes(row.kind):
            continue
        content = endpoint.include_content
        if content not in bodies:
            bodies[content] = build_body(row.kind, row.created_at, told, include_content=content)
        yield Delivery(
            endpoint=endpoint,
            event_id=row.id,
            webhook_id=webhook_id,
            kind=row.kind,
            body=bodies[content],
        )


def seconds_behind() -> float:
    read_at = Consumer.objects.filter(pk=CONSUMER).values_list("updated_at", flat=True).first()
    return (timezone.now() - read_at).total_seconds() if read_at else 0.0
