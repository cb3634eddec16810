from datetime import timedelta

MINUTE, HOUR, DAY = 60, 3600, 24 * 3600


def in_short(age: timedelta) -> str:
    """The age in its largest unit: `12 min`, `3 h`, `2 d`."""
    seconds = max(0, int(age.total_seconds()))
    if seconds < HOUR:
        return f"{seconds // MINUTE} min"
    return f"{seconds // HOUR} h" if seconds < DAY else f"{seconds // DAY} d"
