"""How many streams are open over all processes, and which are too many."""

from collections.abc import Collection, Sequence
from contextlib import suppress
from datetime import timedelta

from django.db import IntegrityError
from django.db.models import F, Window
from django.db.models.functions import RowNumber
from django.utils import timezone

from aimessage.events.models import OpenStream, Process
from aimessage.events.streams import Stream

#: How many streams may be open over all processes: with one grant (a session), and of one user.
MAX_OF_GRANT, MAX_OF_USER = 5, 20
#: A process that was not seen for so long is gone.
GONE = timedelta(seconds=15)


def beat(process: str) -> None:
    """Says that `process` is alive, and forgets those that are not any more, with their streams."""
    now = timezone.now()
    Process.objects.update_or_create(pk=process, defaults={"seen_at": now})
    # One that was only slow, and just opened streams, is found again by the next look.
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
    """The rows of streams that were opened before the newest ones that a grant, or a user, may have."""
    streams = OpenStream.objects.filter(user_id__in=user_ids).annotate(
        of_grant=Window(RowNumber(), partition_by=["user_id", "grant"], order_by=F("id").desc()),
        of_user=Window(RowNumber(), partition_by=["user_id"], order_by=F("id").desc()),
    )
    ranked = streams.values_list("pk", "of_grant", "of_user")
    return {pk for pk, of_grant, of_user in ranked if of_grant > MAX_OF_GRANT or of_user > MAX_OF_USER}
