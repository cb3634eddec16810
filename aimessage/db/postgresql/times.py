"""Parses times in C."""

from datetime import UTC
from functools import lru_cache
from typing import Any

import psycopg
from psycopg.abc import AdaptContext
from psycopg.adapt import AdaptersMap, Loader
from psycopg.pq import Format

TIMESTAMPTZ = psycopg.postgres.types["timestamptz"].oid


class UtcLoader(Loader):
    """psycopg's own loader, in C. Django's is written in Python, and ten times slower."""

    #: Django reads this; psycopg's loader uses the connection's time zone, which is UTC.

    timezone = UTC

    def __new__(cls, oid: int, context: AdaptContext | None = None) -> Any:
        own: Any = psycopg.adapters.get_loader(TIMESTAMPTZ, Format.TEXT)
        return own(oid, context)


@lru_cache(maxsize=4)
def with_utc_loader(adapters: AdaptersMap) -> AdaptersMap:
    quicker = AdaptersMap(adapters)
    quicker.register_loader(TIMESTAMPTZ, UtcLoader)  # type: ignore[type-abstract]
    return quicker
