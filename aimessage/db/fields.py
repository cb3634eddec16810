"""Serializer and model fields that take exactly what the contract says, and coerce nothing."""

import sys
from typing import Any

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Lookup
from django.db.models.lookups import Contains, StartsWith
from django.db.models.sql.compiler import SQLCompiler
from rest_framework import serializers

from aimessage.db.text import fold, is_visible


class StringField(serializers.CharField):
    """A JSON string. DRF's own field also takes numbers, and writes them out."""

    def to_internal_value(self, data: object) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        # What is sent counts, as the API's description says; DRF would count what is left after trimming.
        if self.max_length is not None and len(data) > self.max_length:
            self.fail("max_length", max_length=self.max_length)
        return super().to_internal_value(data)


class VisibleField(StringField):
    """A text with at least one visible character."""

    def run_validation(self, data: object = serializers.empty) -> Any:
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
        # No id is out here, and no database driver has to cope with a thousand digits.
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

    The databases' own LOWER() will not do: SQLite's knows ASCII only, PostgreSQL's depends on the
    locale that the database was made with.
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

    Of SQLite's own LIKE they do not, since it ignores case. Its order is that of code points, the last of
    which is no character. PostgreSQL takes LIKE, and an index with text_pattern_ops.
    """

    lookup_name = "prefix"

    def as_sql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> Any:
        return StartsWith(self.lhs, self.rhs).as_sql(compiler, connection)

    def as_sqlite(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> Any:
        lhs, params = self.process_lhs(compiler, connection)
        end = f"{self.rhs}{chr(sys.maxunicode)}"
        return f"({lhs} >= %s AND {lhs} < %s)", [*params, self.rhs, *params, end]


@FoldedWordsField.register_lookup
class WordPrefix(Lookup):
    """`name_words__word_prefix="ann"`: whether a word, or a part of one, starts with "ann".

    On PostgreSQL by the expression of an index, where words are cut: tsvector does not take endless ones.
    """

    lookup_name = "word_prefix"
    LONGEST = 64
    CUT = r"regexp_replace({}, '([^ ]{{64}})[^ ]+', '\1', 'g')"
    WORDS = f"array_to_tsvector(string_to_array(ltrim({CUT}), ' '))"

    def as_sql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> Any:
        return Contains(self.lhs, f" {self.rhs}").as_sql(compiler, connection)

    def as_postgresql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> Any:
        lhs, params = self.process_lhs(compiler, connection)
        word = self.rhs[: self.LONGEST].replace("\\", r"\\").replace("'", "''")
        return f"{self.WORDS.format(lhs)} @@ %s::tsquery", [*params, f"'{word}':*"]


def split_word(word: str) -> list[str]:
    """`o'neil-smith` as `["o", "neil", "smith"]`."""
    return "".join(char if char.isalnum() else " " for char in word).split()
