"""Serializers that declare an item of the API and show it, straight off database rows or objects.

DRF builds a serializer's fields anew for every request and asks every field of every row. Most fields show
what the database holds, as it is; a serializer that consists of such fields alone lists its columns once.
"""

from collections.abc import Iterable, Sequence
from copy import copy
from datetime import datetime
from functools import cache
from operator import attrgetter, itemgetter
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from django.db.models import Model
from rest_framework import serializers

from aimessage.api.renderers import write_time
from aimessage.db.compiled import Row
from aimessage.db.fields import IdField

if TYPE_CHECKING:
    from rest_framework.validators import Validator

ModelT = TypeVar("ModelT", bound=Model)

_MICROSECOND = attrgetter("microsecond")

#: Fields that show a value of their type as it is.
_PLAIN = {
    field.to_representation
    for field in (
        serializers.IntegerField,
        serializers.BigIntegerField,
        serializers.CharField,
        serializers.BooleanField,
        serializers.ChoiceField,
        IdField,
    )
}


class _Layout(NamedTuple):
    """What a serializer shows, in its order."""

    names: list[str]
    #: For `values_list(*columns)`.
    columns: list[str]
    #: Attributes that lead from an object to the value.
    paths: list[list[str]]
    times: list[str]
    #: Positions of the texts.
    texts: list[int]


class RowSerializer(serializers.Serializer[ModelT]):
    """Shows rows of its `columns()`, or objects; raises TypeError where a field shows more than a column."""

    @classmethod
    def columns(cls) -> list[str]:
        return _layout(cls).columns

    @classmethod
    def show_rows(cls, rows: Iterable[Row]) -> list[dict[str, object]]:
        """Rows of `columns()` as JSON shows them, whatever follows those; the renderer writes the times."""
        layout = _layout(cls)
        items: list[dict[str, object]] = [dict(zip(layout.names, row, strict=False)) for row in rows]
        for name in layout.times:
            times = [item[name] for item in items]
            # Where all have microseconds, as nearly always, orjson writes them as the API shows them.
            if not all(map(_MICROSECOND, filter(None, times))):
                for item, time in zip(items, times, strict=True):
                    if isinstance(time, datetime) and not time.microsecond:
                        item[name] = write_time(time)
        return items

    @classmethod
    def show(cls, instance: ModelT) -> dict[str, object]:
        """What `cls(instance).data` would be."""
        return cls.show_rows([tuple(_follow(instance, path) for path in _layout(cls).paths)])[0]

    @classmethod
    def characters(cls, rows: Sequence[Row]) -> int:
        """How many characters there are in the texts of the rows."""
        texts = _layout(cls).texts
        return sum(sum(map(len, filter(None, map(itemgetter(number), rows)))) for number in texts)


@cache
def _layout(serializer: type[RowSerializer]) -> _Layout:
    shown = [field for field in serializer().fields.values() if not field.write_only]
    for field in shown:
        plain = type(field).to_representation in _PLAIN
        if not plain and not isinstance(field, serializers.DateTimeField):
            raise TypeError(f"{serializer.__name__}.{field.field_name} shows more than a column")
    sources = [str(field.source) for field in shown]
    return _Layout(
        names=[str(field.field_name) for field in shown],
        columns=[source.replace(".", "__") for source in sources],
        paths=[source.split(".") for source in sources],
        times=[str(field.field_name) for field in shown if isinstance(field, serializers.DateTimeField)],
        texts=[number for number, field in enumerate(shown) if isinstance(field, serializers.CharField)],
    )


def _follow(instance: object, path: list[str]) -> object:
    """The value at the end of a path of attributes, None where the path breaks off."""
    for name in path:
        if instance is None:
            return None
        instance = getattr(instance, name)
    return instance


class RowModelSerializer(RowSerializer[ModelT], serializers.ModelSerializer[ModelT]):
    """The same for a model, whose fields and validators are worked out once.

    DRF does so for each request, in 0.4 ms: a tenth of what POST /messages costs. Each serializer gets copies
    of the fields that share what they hold; so none of them may have a child or be a serializer.
    """

    def get_fields(self) -> dict[str, serializers.Field]:
        return {name: copy(field) for name, field in _fields(type(self)).items()}

    def get_validators(self) -> "list[Validator]":
        return list(_validators(type(self)))


@cache
def _fields(serializer: type[RowModelSerializer]) -> dict[str, serializers.Field]:
    return serializers.ModelSerializer.get_fields(serializer())


@cache
def _validators(serializer: type[RowModelSerializer]) -> "list[Validator]":
    return serializers.ModelSerializer.get_validators(serializer())
