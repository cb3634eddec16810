"""Text search that ignores case for all of Unicode, with the same results on both databases."""

import re
from typing import TYPE_CHECKING

from django.db import connection, models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.db.models.lookups import BuiltinLookup
from django.db.models.sql.compiler import SQLCompiler

if TYPE_CHECKING:
    from django.db.models.expressions import Expression
    from django.db.models.sql.compiler import _AsSqlType

_HOLDS_FUNCTION = "AIMESSAGE_HOLDS"

#: Folded text on PostgreSQL. It must be the same expression, to the letter, as in the index (migration 0003).
_ANY_FOLDED = 'UPPER(LOWER({text} COLLATE "und-x-icu")) COLLATE "C"'
# In UTF-8, ASCII text has as many bytes as characters. ICU gives the same result for it, five times slower.
FOLDED = (
    '(CASE WHEN octet_length({column}) = length({column}) THEN UPPER({column} COLLATE "C")'
    f" ELSE {_ANY_FOLDED.format(text='{column}')} END)"
)


def fold_case(text: str) -> str:
    # Lower, then upper: so "ß", "ẞ" and "SS" are equal, and the Kelvin sign equals "k".
    return text.lower().upper()


def pattern_of(word: str) -> str:
    """The pattern with which LIKE finds texts that contain `word`."""
    return f"%{connection.ops.prep_for_like_query(word)}%"


@models.TextField.register_lookup
class LikeFolded(BuiltinLookup):
    """`content__like_folded=pattern_of("word")`, for PostgreSQL, served by its trigram index.

    The database folds both sides. UPPER() alone follows the locale that the database was created with (C
    knows ASCII only); the ICU collation folds as Python does, character by character.
    """

    lookup_name = "like_folded"

    def process_lhs(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, lhs: "Expression | None" = None
    ) -> "_AsSqlType":
        sql, params = super().process_lhs(compiler, connection, lhs)
        return FOLDED.format(column=sql), params

    def get_rhs_op(self, connection: BaseDatabaseWrapper, rhs: str) -> str:
        return f"LIKE {_ANY_FOLDED.format(text=rhs)} ESCAPE '\\'"


class HoldsAll(models.Func):
    """`filter(HoldsAll("content", *map(pattern_of, words)))`: texts that match all patterns.

    It folds each text once, and no index serves it.
    """

    output_field = models.BooleanField()

    def __init__(self, text: str, *patterns: object) -> None:
        super().__init__(text, *(models.Value(pattern) for pattern in patterns))

    def as_sqlite(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **context: object
    ) -> "_AsSqlType":
        return super().as_sql(compiler, connection, function=_HOLDS_FUNCTION)

    def as_postgresql(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **context: object
    ) -> "_AsSqlType":
        text, *patterns = [compiler.compile(expression) for expression in self.get_source_expressions()]
        folded = ", ".join(_ANY_FOLDED.format(text=sql) for sql, _ in patterns)
        params = tuple(value for _, values in [text, *patterns] for value in values)
        # Backslash is LIKE's default escape character.
        return f"({FOLDED.format(column=text[0])} LIKE ALL (ARRAY[{folded}]))", params


def holds_all(text: str, *patterns: str) -> bool:
    folded = fold_case(text)
    return all(fold_case(_word_of(pattern)) in folded for pattern in patterns)


def _word_of(pattern: str) -> str:
    # Undoes `pattern_of`.
    return re.sub(r"\\(.)", r"\1", pattern[1:-1], flags=re.DOTALL)


def add_functions(connection: BaseDatabaseWrapper, **kwargs: object) -> None:
    if connection.vendor == "sqlite":
        connection.connection.create_function(_HOLDS_FUNCTION, -1, holds_all, deterministic=True)


connection_created.connect(add_functions, dispatch_uid="messaging.add_functions")
