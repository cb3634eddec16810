"""Ids in texts, and finding the id at which a time begins."""

import re
from datetime import datetime, timedelta

from django.db import connection
from django.db.models import Model

ID = re.compile(r"[1-9][0-9]{0,18}")
#: The largest that a bigint column holds.
LARGEST = 2**63 - 1
#: Rows are not numbered exactly in the order of their times: an id may be off by this much.
ID_SLACK = timedelta(hours=1)


def is_id(text: str) -> bool:
    return ID.fullmatch(text) is not None and int(text) <= LARGEST


def first_id(model: type[Model], column: str, moment: datetime) -> int:
    """Returns an id below which every row is older than `moment`.

    Ids ascend with time, so an index on the time is not worth its cost at every insert. This is a binary
    search: 63 lookups of the primary key in one query, however large the table is.
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
    """  # noqa: S608  names from the code
    with connection.cursor() as cursor:
        cursor.execute(sql, [connection.ops.adapt_datetimefield_value(moment - ID_SLACK)])
        (pk,) = cursor.fetchone()
    return int(pk)
