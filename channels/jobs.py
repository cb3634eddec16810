"""Sends due deliveries. Each of our numbers has one job at a time, which sends its deliveries one by one.

`dispatch` looks for numbers with due deliveries and enqueues a job for each, called a turn. A turn is a
lease: if its job is lost, it ends after LEASE seconds and `dispatch` starts another.
"""

import logging
import time
from datetime import timedelta

from django.conf import settings
from django.db import DatabaseError, transaction
from django.db.models import DateTimeField, Exists, ExpressionWrapper, F, OuterRef, Q, QuerySet
from django.utils import timezone
from django_tasks import task

from channels.models import Channel, Delivery, Sender, Thread
from channels.services.pruning import sweep
from channels.services.sending import take_step
from channels.switch import configured, paced

State = Delivery.State
logger = logging.getLogger("aimessage.jobs")

#: Seconds until a turn ends if its job stops renewing it; longer than one call to Twilio.
LEASE = 60
#: Seconds after which a job ends even if more is due, so that other numbers get its thread.
TURN_SECONDS = 10.0
#: Seconds until a delivery is tried again after an unexpected exception.
FAULT = 600
#: An incoming message and a held one may cross: one received up to this long before also releases it.
OVERLAP = timedelta(minutes=1)
RELEASED_AT_ONCE = 500


def dispatch() -> int:
    if settings.TWILIO is None:
        return 0
    _release_held()
    now, count = timezone.now(), 0
    for pk in _due_senders().values_list("pk", flat=True):
        with transaction.atomic():
            free = Sender.objects.filter(Q(busy_until=None) | Q(busy_until__lte=now), pk=pk)
            if free.update(turn=F("turn") + 1, busy_until=now + paced(LEASE)):
                send_due.enqueue(pk, Sender.objects.values_list("turn", flat=True).get(pk=pk))
                count += 1
    return count


@task(queue_name="channels")
def send_due(sender_id: int, turn: int) -> None:
    ours = Sender.objects.filter(pk=sender_id, turn=turn)
    ends_at = time.monotonic() + TURN_SECONDS
    while time.monotonic() < ends_at and settings.TWILIO is not None:
        now = timezone.now()
        if not ours.update(busy_until=now + paced(LEASE)):
            return
        sender = ours.filter(_awake()).first()
        delivery = _due_from(sender).order_by("pk").first() if sender is not None else None
        if sender is None or delivery is None:
            break
        _take_step(delivery, sender)
    ours.update(busy_until=None)


def _take_step(delivery: Delivery, sender: Sender) -> None:
    try:
        take_step(delivery, sender)
    except DatabaseError:
        raise
    except Exception:
        logger.exception("%s cannot be sent", delivery)
        # Postponed, so that a bug blocks only this address and not everything from the number.
        later = timezone.now() + paced(FAULT)
        Delivery.objects.filter(pk=delivery.pk, asked_at=None).update(due_at=later)


def _due_senders() -> QuerySet[Sender]:
    now, due = timezone.now(), _due()
    of_thread = Exists(due.filter(thread__sender=OuterRef("pk")))
    is_code_sender = Q(pk=sender.pk) if (sender := _code_sender(due)) else Q()
    ready = Sender.objects.filter(Q(busy_until=None) | Q(busy_until__lte=now), _awake())
    return ready.filter(Q(of_thread) | is_code_sender)


def _awake() -> Q:
    return Q(paused_until=None) | Q(paused_until__lte=timezone.now())


def _code_sender(due: QuerySet[Delivery]) -> Sender | None:
    number = configured().number_for(Channel.SMS)
    if number is None or not due.filter(thread=None).exists():
        return None
    account = configured().account
    # Numbers get their row with the first message to them; codes may be sent before that.
    sender, _ = Sender.objects.get_or_create(address=number, defaults={"account_sid": account})
    return sender


def _due() -> QuerySet[Delivery]:
    # Deliveries to one address leave in order, so a delivery waits for the earlier ones.
    earlier = Delivery.objects.filter(
        Q(state=State.HELD) | Q(due_at__isnull=False),
        state__in=[State.PENDING, State.SENDING, State.UNKNOWN, State.HELD],
        thread__address=OuterRef("thread__address"),
        pk__lt=OuterRef("pk"),
    )
    # Notices do not wait for held ones: the template asks for the reply that those are held for.
    waits = Exists(earlier.exclude(state=State.HELD)) | (Q(notice="") & Exists(earlier))
    return Delivery.objects.filter(due_at__lte=timezone.now()).exclude(waits)


def _due_from(sender: Sender) -> QuerySet[Delivery]:
    mine = Q(thread__sender=sender)
    if sender.address == configured().number_for(Channel.SMS):
        mine |= Q(thread=None)
    return _due().filter(mine).select_related("message", "thread__address", "code")


def _release_held() -> None:
    since = ExpressionWrapper(OuterRef("updated_at") - OVERLAP, DateTimeField())
    wrote = Thread.objects.filter(pk=OuterRef("thread"), last_inbound_at__gt=since)
    held = Delivery.objects.filter(Exists(wrote), state=State.HELD, due_at=None)
    # SELECT first: even an UPDATE that matches no row takes SQLite's write lock.
    if pks := list(held.values_list("pk", flat=True)[:RELEASED_AT_ONCE]):
        Delivery.objects.filter(pk__in=pks, state=State.HELD).update(due_at=timezone.now())


@task
def prune() -> None:
    sweep()
