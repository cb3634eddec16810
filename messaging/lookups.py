"""Text comparison without regard to case, on both databases alike."""

from typing import Any

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.db.models.lookups import Contains

_FUNCTION = "AIMESSAGE_UPPER"


@models.TextField.register_lookup
class ContainsFolded(Contains):
    """`content__contains_folded="word"`: UPPER() on both sides, and SQLite gets one that knows Unicode.

    Its own knows ASCII only, so that "École" would not be found by "école".
    """

    lookup_name = "contains_folded"

    def process_lhs(self, compiler: Any, connection: Any, lhs: Any = None) -> Any:
        sql, params = super().process_lhs(compiler, connection, lhs)
        return f"{self._function(connection)}({sql})", params

    def get_rhs_op(self, connection: Any, rhs: str) -> str:
        return f"LIKE {self._function(connection)}({rhs}) ESCAPE '\\'"

    @staticmethod
    def _function(connection: Any) -> str:
        return _FUNCTION if connection.vendor == "sqlite" else "UPPER"


def add_upper(connection: BaseDatabaseWrapper, **kwargs: Any) -> None:
    if connection.vendor == "sqlite":
        connection.connection.create_function(_FUNCTION, 1, str.upper, deterministic=True)


connection_created.connect(add_upper, dispatch_uid="messaging.add_upper")
