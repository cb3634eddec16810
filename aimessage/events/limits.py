"""Counts open streams over all processes and machines, and finds those beyond the limits."""

from collections.abc import Collection, Sequence
from contextlib import suppress
from datetime import timedelta

from django.db import IntegrityError
from django.db.models import F, Window
from django.db.models.functions import RowNumber
from django.utils import timezone

from aimessage.events.models import OpenStream, Process
from aimessage.events.streams import Stream

#: Streams that one grant (such as a session) and one user may have open, over all processes.
MAX_OF_GRANT, MAX_OF_USER = 5, 20
#: A process without a heartbeat for this long is gone.
GONE = timedelta(seconds=15)


def beat(process: str) -> None:
    """Writes the heartbeat of `process`, and deletes processes that are gone, with their streams."""
    now = timezone.now()
    Process.objects.update_or_create(pk=process, defaults={"seen_at": now})
    # A slow process that opens streams at this moment makes the deletion fail; the next beat retries.
    with suppress(IntegrityError):
        Process.objects.filter(seen_at__lt=now - GONE).delete()


def register(process: str, streams: Sequence[Stream]) -> None:
    beat(process)
    rows = [
        OpenStream(process_id=process, user_id=stream.user_id, grant=" ".join(map(str, stream.grant)))
        for stream in streams
    ]
    for stream, row in zip(streams, OpenStream.objects.bulk_create(rows), strict=True):
        stream.row_id = row.pk


def unregister(streams: Sequence[Stream]) -> None:
    OpenStream.objects.filter(pk__in=[stream.row_id for stream in streams]).delete()


def streams_beyond_limits(user_ids: Collection[int]) -> set[int]:
    streams = OpenStream.objects.filter(user_id__in=user_ids).annotate(
        of_grant=Window(RowNumber(), partition_by=["user_id", "grant"], order_by=F("id").desc()),
        of_user=Window(RowNumber(), partition_by=["user_id"], order_by=F("id").desc()),
    )
    ranked = streams.values_list("pk", "of_grant", "of_user")
    return {pk for pk, of_grant, of_user in ranked if of_grant > MAX_OF_GRANT or of_user > MAX_OF_USER}
