"""Ids as they are written, and as they ascend with time."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import Model

#: An id as a URL writes it.
ID = re.compile(r"[1-9][0-9]{0,18}")
#: The largest that a column holds.
LARGEST = 2**63 - 1
#: Ids are given a little before or after the time that stands in the row.
ID_SLACK = timedelta(hours=1)


def is_id(text: str) -> bool:
    """Whether `text` may be the id of some row."""
    return ID.fullmatch(text) is not None and int(text) <= LARGEST


def first_id(model: type[Model], column: str, moment: datetime) -> int:
    """An id below which no row is as young as `moment`.

    There is no index on when a row was made, nor is one worth its upkeep on every insert: ids ascend with
    time. This halves the ids, 63 looks at the primary key, in one query however large the table is.
    """
    table = model._meta.db_table
    sql = f"""
        WITH RECURSIVE search (pk, step) AS (
            SELECT CAST(0 AS bigint), CAST(4611686018427387904 AS bigint)
            UNION ALL
            SELECT CASE WHEN (
                SELECT {column} FROM {table} WHERE id >= search.pk + step ORDER BY id LIMIT 1
            ) < %s THEN search.pk + step ELSE search.pk END, step / 2
            FROM search WHERE step > 0
        )
        SELECT pk + 1 FROM search WHERE step = 0
    """  # noqa: S608  names of ours alone
    adapt: Callable[[datetime], Any] = connection.ops.adapt_datetimefield_value
    with connection.cursor() as cursor:
        cursor.execute(sql, [adapt(moment - ID_SLACK)])
        (pk,) = cursor.fetchone()
    return int(pk)
