"""What a serializer shows, read straight off database rows or objects.

DRF builds a serializer's fields anew for every request and asks every field of every row. Most fields show
what the database holds, as it is. For serializers that consist of such fields alone, a shape lists the
columns once; the serializer stays the only place where they are declared.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from operator import attrgetter, itemgetter
from typing import Any

from rest_framework import serializers

from aimessage.api.renderers import write_time
from aimessage.db.fields import IdField

Row = tuple[Any, ...]
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


class Shape:
    """The names under which a serializer shows the `columns` of a row, in its order."""

    def __init__(self, serializer: type[serializers.BaseSerializer[Any]]) -> None:
        shown = [field for field in serializer().fields.values() if not field.write_only]  # type: ignore[attr-defined]
        self.names = [str(field.field_name) for field in shown]
        self.columns = [str(field.source).replace(".", "__") for field in shown]
        self.times = [
            str(field.field_name) for field in shown if isinstance(field, serializers.DateTimeField)
        ]
        self.texts = [
            number for number, field in enumerate(shown) if isinstance(field, serializers.CharField)
        ]
        for field in shown:
            plain = type(field).to_representation in _PLAIN
            if not plain and not isinstance(field, serializers.DateTimeField):
                raise TypeError(f"{serializer.__name__}.{field.field_name} shows more than a column")
        self.sources = [str(field.source).split(".") for field in shown]

    def show(self, rows: Iterable[Row]) -> list[dict[str, Any]]:
        """Rows of `columns`, and what may follow them, as JSON shows them; times are left to the renderer."""
        names = self.names
        items = [dict(zip(names, row, strict=False)) for row in rows]
        for name in self.times:
            times = [item[name] for item in items]
            # Where all have microseconds, as nearly always, orjson writes them as the API shows them.
            if not all(map(_MICROSECOND, filter(None, times))):
                for item, time in zip(items, times, strict=True):
                    if time is not None and not time.microsecond:
                        item[name] = write_time(time)
        return items

    def characters(self, rows: Sequence[Row]) -> int:
        """How many characters there are in the texts of the rows."""
        return sum(len(text) for number in self.texts for text in map(itemgetter(number), rows) if text)

    def show_object(self, instance: Any) -> dict[str, Any]:
        """The same of an object."""
        return self.show([tuple(_follow(instance, source) for source in self.sources)])[0]


def _follow(instance: Any, source: list[str]) -> Any:
    """The value at the end of a path of attributes, None where the path breaks off."""
    for name in source:
        if instance is None:
            return None
        instance = getattr(instance, name)
    return instance


def show(serializer: type[serializers.BaseSerializer[Any]], instance: Any) -> dict[str, Any]:
    """What `serializer(instance).data` would be."""
    return shape_of(serializer).show_object(instance)  # type: ignore[arg-type]  # a class is hashable


@lru_cache(maxsize=64)
def shape_of(serializer: type[serializers.BaseSerializer[Any]]) -> Shape:
    """The shape of a serializer; raises TypeError where a field shows more than a column."""
    return Shape(serializer)
