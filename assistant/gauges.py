"""Gauges of the assistant, read when Prometheus scrapes them."""

from django.db.models import Count, Min

from aimessage.server.metrics.gauges import Values, gauge
from assistant.models import Profile, Reply, Usage
from assistant.services.allowance import today

#: Columns of Usage.
KINDS = ("tokens_in", "tokens_out", "reserved")


@gauge("aimessage_assistant_replies", "Questions that wait for an answer, by state.", ("state",))
def count_replies() -> Values:
    rows = Reply.objects.unfinished().order_by().values_list("state").annotate(Count("pk"))
    counts = dict(rows)
    return {(state,): counts.get(state, 0) for state in Reply.OPEN}


@gauge(
    "aimessage_assistant_oldest_timestamp_seconds",
    "When the question was asked that has waited longest, as Unix time; absent where none waits.",
)
def find_oldest() -> Values:
    oldest = Reply.objects.unfinished().aggregate(at=Min("created_at"))["at"]
    return {(): oldest.timestamp()} if oldest else {}


@gauge("aimessage_assistant_tokens_today", "Tokens of this day of UTC, by all users.", ("kind",))
def count_tokens() -> Values:
    usage = Usage.objects.filter(user=None, day=today()).first()
    return {(kind.removeprefix("tokens_"),): getattr(usage, kind) if usage else 0 for kind in KINDS}


@gauge("aimessage_assistant_cost_today", "What those cost, by AI_MESSAGE_ASSISTANT_PRICE_IN and _OUT.")
def count_cost() -> Values:
    usage = Usage.objects.filter(user=None, day=today()).first()
    return {(): float(usage.cost) if usage else 0.0}


@gauge("aimessage_assistant_refused", "1 while the provider refuses to serve: a wrong key, no such model.")
def find_trouble() -> Values:
    return {(): float(Profile.objects.exclude(trouble="").exists())}
