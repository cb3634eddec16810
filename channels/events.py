"""Changes of a delivery's state, as events (aimessage/events)."""

from collections.abc import Sequence

from aimessage.events.kinds import EventRow, add_kinds
from aimessage.webhooks.kinds import add_webhook_kinds, tell_ids
from messaging.events import visible_rows

MESSAGE_DELIVERY = "message.delivery"


def add_delivery_kinds() -> None:
    add_kinds([MESSAGE_DELIVERY], deliveries, scope="messages:read")
    add_webhook_kinds([MESSAGE_DELIVERY], tell_ids)


def deliveries(rows: Sequence[EventRow]) -> dict[int, object]:
    visible = visible_rows(rows)
    return {row.id: {"message_id": row.message_id, **row.data} for row in rows if row.id in visible}
