"""The times of the benchmark's rows."""

from bisect import bisect
from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import accumulate

DAYS = 730
#: Relative activity by hour (UTC).
HOURS = [2, 1, 1, 1, 1, 2, 5, 9, 12, 12, 12, 14, 16, 14, 13, 13, 14, 16, 18, 20, 21, 18, 11, 5]


def write_time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S.%f")


def clock(ends: datetime) -> Callable[[float], str]:
    """Returns a function from a share of the history, 0 to 1, to a time. Some hours are busier."""
    total = sum(HOURS)
    edges = [0.0, *(part / total for part in accumulate(HOURS))]
    start = ends - timedelta(days=DAYS)
    days = [(start + timedelta(days=day)).strftime("%Y-%m-%d") for day in range(DAYS)]

    def time_at(share: float) -> str:
        day, rest = divmod(share * DAYS, 1)
        hour = min(bisect(edges, rest) - 1, 23)
        micros = int((rest - edges[hour]) / (edges[hour + 1] - edges[hour]) * 3_600_000_000)
        minute, micros = divmod(min(micros, 3_599_999_999), 60_000_000)
        second, micros = divmod(micros, 1_000_000)
        return f"{days[int(day)]} {hour:02}:{minute:02}:{second:02}.{micros:06}"

    return time_at
