"""Text comparison without regard to case, on both databases alike."""

from typing import Any

from django.db import connection, models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.db.models.lookups import BuiltinLookup

_FUNCTION = "AIMESSAGE_FOLD"

#: Folded text on PostgreSQL. The index behind the search (migration 0002) has it to the letter.
_ANY_FOLDED = 'UPPER(LOWER({text} COLLATE "und-x-icu")) COLLATE "C"'
# Of text in ASCII, which in UTF-8 has a byte for each character, ICU makes the same, five times slower.
FOLDED = (
    '(CASE WHEN octet_length({column}) = length({column}) THEN UPPER({column} COLLATE "C")'
    f" ELSE {_ANY_FOLDED.format(text='{column}')} END)"
)


def fold_case(text: str) -> str:
    """Lower, then upper: "ß", "ẞ" and "SS" are one, and so are the Kelvin sign and "k"."""
    return text.lower().upper()


def pattern_of(word: str) -> str:
    """What LIKE finds wherever `word` occurs."""
    return f"%{connection.ops.prep_for_like_query(word)}%"


@models.TextField.register_lookup
class LikeFolded(BuiltinLookup):
    """`content__like_folded=pattern_of("word")`: both sides are folded, by rules that know all of Unicode.

    The pattern goes to the database as it is, so that the SQL can be kept (aimessage/db/compiled.py).

    SQLite's own UPPER() knows ASCII only, PostgreSQL's what the locale that the database was made
    with knows (with C again ASCII only); the ICU collation folds as Python does, character by character.
    """

    lookup_name = "like_folded"

    def process_lhs(self, compiler: Any, connection: Any, lhs: Any = None) -> Any:
        sql, params = super().process_lhs(compiler, connection, lhs)
        if connection.vendor == "sqlite":
            return f"{_FUNCTION}({sql})", params
        return FOLDED.format(column=sql), params

    def get_rhs_op(self, connection: Any, rhs: str) -> str:
        folded = f"{_FUNCTION}({rhs})" if connection.vendor == "sqlite" else _ANY_FOLDED.format(text=rhs)
        return f"LIKE {folded} ESCAPE '\\'"


def add_function(connection: BaseDatabaseWrapper, **kwargs: Any) -> None:
    if connection.vendor == "sqlite":
        connection.connection.create_function(_FUNCTION, 1, fold_case, deterministic=True)


connection_created.connect(add_function, dispatch_uid="messaging.add_function")
