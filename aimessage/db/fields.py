"""Serializer fields that coerce nothing, and model fields that keep a text in folded form."""

import sys
from typing import Any

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Lookup
from django.db.models.lookups import Contains, StartsWith
from django.db.models.sql.compiler import SQLCompiler
from rest_framework import serializers

from aimessage.db.text import fold, is_visible

SqlAndParams = tuple[str, tuple[str | int, ...]]


class StringField(serializers.CharField):
    """A JSON string. DRF's own field also takes numbers, and writes them out."""

    def to_internal_value(self, data: object) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        # Counts what was sent, as the API's description says; DRF counts what is left after trimming.
        if self.max_length is not None and len(data) > self.max_length:
            self.fail("max_length", max_length=self.max_length)
        return super().to_internal_value(data)


class VisibleField(StringField):
    """A text with at least one visible character."""

    def run_validation(self, data: object = serializers.empty) -> object:
        if isinstance(data, str) and not is_visible(data):
            self.fail("blank")
        return super().run_validation(data)


class EmailField(StringField, serializers.EmailField):
    """An e-mail address in a JSON string."""


class IdField(serializers.Field):
    """A JSON integer that names an object. Whether it exists is for the service to say.

    DRF's IntegerField rounds `2.0`, takes `"2"`, and refuses what is too large for the database,
    where the contract asks for the answer that any unknown id gets.
    """

    default_error_messages = {"invalid": "A whole number is required."}

    def to_internal_value(self, data: object) -> int:
        if type(data) is not int:
            self.fail("invalid")
        # 0 is no id either, and spares the database driver a number of a thousand digits.
        return data if 0 < data < 2**63 else 0

    def to_representation(self, value: int) -> int:
        return value


class WholeNumberField(serializers.IntegerField):
    """A JSON integer. DRF's own field also takes texts, and numbers with a point."""

    default_error_messages = {"invalid": "A whole number is required."}

    def to_internal_value(self, data: object) -> int:
        if type(data) is not int:
            self.fail("invalid")
        return data


class FlagField(serializers.BooleanField):
    """A JSON boolean. DRF's own field also takes "yes", 1 and many more."""

    def to_internal_value(self, data: object) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data


class FoldedField(models.TextField):
    """The folded form of the field `source`, kept by the database for lookups without regard to case.

    The databases' own LOWER() does not suffice: SQLite's knows only ASCII, PostgreSQL's depends on the
    locale that the database was created with.
    """

    def __init__(self, *args: Any, source: str, **kwargs: Any) -> None:
        self.source = source
        super().__init__(*args, **{"editable": False, **kwargs})

    def deconstruct(self) -> Any:
        name, path, args, kwargs = super().deconstruct()
        kwargs.pop("editable", None)
        return name, path, args, {**kwargs, "source": self.source}

    def fold(self, value: str | None) -> str:
        return fold(value or "")

    def pre_save(self, model_instance: models.Model, add: bool) -> str:
        value = self.fold(getattr(model_instance, self.source))
        setattr(model_instance, self.attname, value)
        return value


class FoldedWordsField(FoldedField):
    """The folded text with a space before it and before each part of a word, for prefix searches.

    `" ann"` occurs in it exactly if a word of the text, or a part of one, starts with "ann".
    """

    def fold(self, value: str | None) -> str:
        words = super().fold(value).split()
        parts = [part for word in words for part in split_word(word)[1:]]
        return "".join(f" {word}" for word in [*words, *parts])


@models.CharField.register_lookup
@models.TextField.register_lookup
class Prefix(Lookup):
    """`username_key__prefix="ali"`: `startswith` that SQLite's indexes serve too.

    SQLite's LIKE ignores case and so uses no index. It orders texts by code points, so a range does the same.
    PostgreSQL uses LIKE, and an index with text_pattern_ops.
    """

    lookup_name = "prefix"

    def as_sql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> SqlAndParams:
        return StartsWith(self.lhs, self.rhs).as_sql(compiler, connection)

    def as_sqlite(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> SqlAndParams:
        lhs, params = self.process_lhs(compiler, connection)
        end = f"{self.rhs}{chr(sys.maxunicode)}"
        return f"({lhs} >= %s AND {lhs} < %s)", (*params, self.rhs, *params, end)


@FoldedWordsField.register_lookup
class WordPrefix(Lookup):
    """`name_words__word_prefix="ann"`: whether a word, or a part of one, starts with "ann".

    On PostgreSQL the SQL is the expression of an index. It cuts words, since a tsvector limits their length.
    """

    lookup_name = "word_prefix"
    LONGEST = 64
    CUT = r"regexp_replace({}, '([^ ]{{64}})[^ ]+', '\1', 'g')"
    WORDS = f"array_to_tsvector(string_to_array(ltrim({CUT}), ' '))"

    def as_sql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> SqlAndParams:
        return Contains(self.lhs, f" {self.rhs}").as_sql(compiler, connection)

    def as_postgresql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> SqlAndParams:
        lhs, params = self.process_lhs(compiler, connection)
        word = self.rhs[: self.LONGEST].replace("\\", r"\\").replace("'", "''")
        return f"{self.WORDS.format(lhs)} @@ %s::tsquery", (*params, f"'{word}':*")


def split_word(word: str) -> list[str]:
    """`o'neil-smith` as `["o", "neil", "smith"]`."""
    return "".join(char if char.isalnum() else " " for char in word).split()
