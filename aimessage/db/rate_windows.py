"""Counts requests per key in fixed time windows, in the database, so for all workers and machines together.

DRF's throttles read the cache and then write it, which lets parallel requests through. Here one UPSERT counts
and reads. A window starts with the first request of its key.
"""

from django.db import connection
from django.utils import timezone

from aimessage.db.batches import delete_in_batches
from aimessage.models import ThrottleWindow

_COUNT = """
    INSERT INTO aimessage_throttlewindow AS seen (key, ends_at, count)
    VALUES (%(key)s, %(end)s, 1)
    ON CONFLICT (key) DO UPDATE SET
        count = CASE WHEN seen.ends_at <= %(now)s THEN 1 ELSE seen.count + 1 END,
        ends_at = CASE WHEN seen.ends_at <= %(now)s THEN %(end)s ELSE seen.ends_at END
    RETURNING count, ends_at
"""


def count_request(key: str, *, seconds: int) -> tuple[int, float]:
    """Returns the number of requests in the window, with this one, and the seconds until it ends.

    Inside a transaction, others that count under `key` wait until it ends.
    """
    now = timezone.now().timestamp()
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, {"key": key, "now": now, "end": now + seconds})
        count, ends_at = cursor.fetchone()
    return count, ends_at - now


def sweep(*, dry_run: bool = False) -> dict[str, int]:
    over = ThrottleWindow.objects.filter(ends_at__lte=timezone.now().timestamp())
    return {"throttle windows": delete_in_batches(over, dry_run=dry_run)}
