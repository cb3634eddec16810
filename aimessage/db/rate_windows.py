"""Counts requests per key in fixed windows of time, in the database, so across all workers and machines.

DRF's throttles read the cache and then write it back, which lets parallel requests through. Here one UPSERT
counts and reads. A window starts with the first request under its key.
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
    """Counts one request under `key`: how many its window has, and the seconds until that ends.

    In a transaction the others that count under `key` wait for its end.
    """
    now = timezone.now().timestamp()
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, {"key": key, "now": now, "end": now + seconds})
        count, ends_at = cursor.fetchone()
    return count, ends_at - now


def sweep(*, dry_run: bool = False) -> dict[str, int]:
    """Deletes the windows that are over; returns how many rows of what."""
    over = ThrottleWindow.objects.filter(ends_at__lte=timezone.now().timestamp())
    return {"throttle windows": delete_in_batches(over, dry_run=dry_run)}
