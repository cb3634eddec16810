"""Random numbers that are the same in every run, and the hours at which people are active."""

from bisect import bisect_right
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from random import Random

#: How far back the messages go.
HISTORY = timedelta(days=60)
HOUR = 3600.0
#: Relative activity by hour (UTC): quiet nights, a lunch break, long evenings.
_HOURS = [4, 2, 1, 1, 1, 2, 6, 12, 16, 15, 14, 15, 20, 18, 14, 14, 16, 20, 26, 30, 30, 26, 18, 9]
#: Relative activity from Monday to Sunday.
_DAYS = [1.0, 1.0, 1.05, 1.0, 1.15, 1.3, 1.2]


def seeded(*seed: object) -> Random:
    return Random(repr(seed))  # noqa: S311  no secrets, and the same demo every time


def to_datetime(timestamp: float) -> datetime:
    return datetime.fromtimestamp(timestamp, UTC)


class Clock:
    """Draws times between `start` and `end` (seconds since 1970), more of them in busy hours."""

    def __init__(self, start: float, end: float) -> None:
        self.start, self.end = start, end
        self.step = min(HOUR, (end - start) / 24)
        middles = (start + (index + 0.5) * self.step for index in range(round((end - start) / self.step)))
        self._sums = [0.0, *accumulate(_activity(middle) for middle in middles)]

    def draw(self, chance: Random, since: float, until: float) -> float:
        low, high = self._sum_at(since), self._sum_at(until)
        return min(max(self._time_at(low + (high - low) * chance.random()), since), until)

    def _sum_at(self, time: float) -> float:
        index = min(max(int((time - self.start) / self.step), 0), len(self._sums) - 2)
        within = (time - self.start) / self.step - index
        return self._sums[index] + (self._sums[index + 1] - self._sums[index]) * within

    def _time_at(self, total: float) -> float:
        index = min(max(bisect_right(self._sums, total) - 1, 0), len(self._sums) - 2)
        within = (total - self._sums[index]) / (self._sums[index + 1] - self._sums[index])
        return self.start + (index + within) * self.step


def _activity(time: float) -> float:
    at = to_datetime(time)
    return _HOURS[at.hour] * _DAYS[at.weekday()]
