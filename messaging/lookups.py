"""Text comparison without regard to case, on both databases alike."""

from typing import Any

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.db.models.lookups import Contains

_FUNCTION = "AIMESSAGE_FOLD"


def fold_case(text: str) -> str:
    """Lower, then upper: "ß", "ẞ" and "SS" are one, and so are the Kelvin sign and "k"."""
    return text.lower().upper()


@models.TextField.register_lookup
class ContainsFolded(Contains):
    """`content__contains_folded="word"`: both sides are folded, by rules that know all of Unicode.

    SQLite's own UPPER() knows ASCII only, PostgreSQL's what the locale that the database was made
    with knows (with C again ASCII only); the ICU collation folds as Python does, character by character.
    """

    lookup_name = "contains_folded"

    def process_lhs(self, compiler: Any, connection: Any, lhs: Any = None) -> Any:
        sql, params = super().process_lhs(compiler, connection, lhs)
        return self._folded(connection, sql), params

    def get_rhs_op(self, connection: Any, rhs: str) -> str:
        return f"LIKE {self._folded(connection, rhs)} ESCAPE '\\'"

    @staticmethod
    def _folded(connection: Any, sql: str) -> str:
        if connection.vendor == "sqlite":
            return f"{_FUNCTION}({sql})"
        return f'UPPER(LOWER({sql} COLLATE "und-x-icu"))'


def add_function(connection: BaseDatabaseWrapper, **kwargs: Any) -> None:
    if connection.vendor == "sqlite":
        connection.connection.create_function(_FUNCTION, 1, fold_case, deterministic=True)


connection_created.connect(add_function, dispatch_uid="messaging.add_function")
