"""The metrics of messages that come in and go out by SMS and WhatsApp."""

from datetime import timedelta

from django.conf import settings
from django.db.models import Count, Min
from django.utils import timezone

from aimessage.server.metrics.gauges import Values, gauge
from channels.models import Delivery, Receipt, Sender
from channels.outcomes import OUTCOMES, Outcome

RECENT = timedelta(hours=24)
#: The label of error codes that OUTCOMES does not list: a series for each would be unbounded.
OTHER = "other"


@gauge(
    "aimessage_channel_received",
    "Messages that came in in the last 24 hours, by what became of them.",
    ("outcome",),
)
def count_received() -> Values:
    if settings.TWILIO is None:
        return {}
    recent = Receipt.objects.filter(received_at__gt=timezone.now() - RECENT).order_by()
    counted = dict(recent.values_list("outcome").annotate(Count("pk")))
    return {(outcome,): counted.get(outcome, 0) for outcome in Receipt.Outcome.values}


@gauge(
    "aimessage_channel_deliveries",
    "Parts and notices of the last 24 hours, by state and by Twilio's error code.",
    ("state", "code"),
)
def count_deliveries() -> Values:
    if settings.TWILIO is None:
        return {}
    recent = Delivery.objects.filter(created_at__gt=timezone.now() - RECENT).order_by()
    values: Values = {(state, ""): 0 for state in Delivery.State.values}
    for state, code, count in recent.values_list("state", "error_code").annotate(Count("pk")):
        label = "" if code is None else str(code) if code in OUTCOMES else OTHER
        values[state, label] = values.get((state, label), 0) + count
    return values


@gauge(
    "aimessage_channel_oldest_due_timestamp_seconds",
    "Since when what has waited longest to be sent has been due, as Unix time; absent where nothing is.",
)
def find_oldest_due() -> Values:
    due = Delivery.objects.filter(due_at__lte=timezone.now()).aggregate(since=Min("due_at"))["since"]
    return {(): due.timestamp()} if due else {}


@gauge("aimessage_channel_paused_numbers", "Numbers of ours that Twilio lets nothing be sent from.")
def count_paused() -> Values:
    paused = Sender.objects.exclude(paused_reason="")
    return {(): paused.count()} if settings.TWILIO is not None else {}


@gauge("aimessage_channel_filtered", "Parts that networks took for spam in the last 24 hours.")
def count_filtered() -> Values:
    if settings.TWILIO is None:
        return {}
    codes = [code for code, outcome in OUTCOMES.items() if outcome is Outcome.FILTERED]
    recent = Delivery.objects.filter(error_code__in=codes, created_at__gt=timezone.now() - RECENT)
    return {(): recent.count()}
