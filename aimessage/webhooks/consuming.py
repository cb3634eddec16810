"""From the log of events to deliveries."""

from django.utils import timezone

from aimessage.events.models import Consumer
from aimessage.events.reading import consume
from aimessage.jobs.loops import Loop, add_loop
from aimessage.webhooks.bodies import build_body
from aimessage.webhooks.jobs import dispatch
from aimessage.webhooks.kinds import tell
from aimessage.webhooks.models import Delivery, Endpoint
from aimessage.webhooks.services import CONSUMER, new_webhook_id

#: Events that one transaction reads.
LIMIT = 200
#: Pages that one call reads before it lets others have the thread.
PAGES = 10


def add_webhook_loops() -> None:
    add_loop(Loop("webhooks.log", read_log, every=0.25, lag=seconds_behind))
    add_loop(Loop("webhooks.dispatch", dispatch, every=0.25))


def read_log() -> int:
    """Makes the deliveries of what is new in the log; returns how many."""
    made = 0
    for _ in range(PAGES):
        count, more = _read_page()
        made += count
        if not more:
            break
    return made


def _read_page() -> tuple[int, bool]:
    with consume(CONSUMER, LIMIT) as page:
        if page is None:
            return 0, False
        endpoints = list(Endpoint.objects.filter(is_enabled=True))
        told = tell(page.rows) if endpoints else {}
        deliveries = []
        for row in page.rows:
            if row.id not in told:
                continue
            webhook_id, bodies = new_webhook_id(), dict[bool, str]()
            for endpoint in endpoints:
                if not endpoint.takes(row.kind):
                    continue
                content = endpoint.include_content
                if content not in bodies:
                    bodies[content] = build_body(
                        row.kind, row.created_at, told[row.id], include_content=content
                    )
                deliveries.append(
                    Delivery(
                        endpoint=endpoint,
                        event_id=row.id,
                        webhook_id=webhook_id,
                        kind=row.kind,
                        body=bodies[content],
                    )
                )
        Delivery.objects.bulk_create(deliveries, batch_size=500)
        return len(deliveries), page.more


def seconds_behind() -> float:
    """Since when nobody has read the log for webhooks; 0 where no endpoint is enabled."""
    read_at = Consumer.objects.filter(pk=CONSUMER).values_list("updated_at", flat=True).first()
    return (timezone.now() - read_at).total_seconds() if read_at else 0.0
