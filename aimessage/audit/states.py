"""What an object is like before and after an act, as far as the audit trail may say it."""

import re
from collections.abc import Collection
from datetime import datetime
from typing import Any, NamedTuple

from django.contrib.auth import get_user_model
from django.db.models import Field, Model, TextField

from aimessage.db.fields import FoldedField

State = dict[str, Any]

#: The trail says of these columns only that they changed.
_SECRET = re.compile(r"password|token|secret|key|hash")
NOT_SHOWN = "(not shown)"
CHANGED = "(changed)"


class Hidden(NamedTuple):
    """A value that is compared but never shown."""

    value: Any


def state_of(obj: Model, *, texts: Collection[str] = ()) -> State:
    """The columns and many-to-many relations of `obj`, by name.

    Secrets are hidden, and so is free text (a TextField) unless `texts` names it: by default no page
    that is added later can put somebody's message into the trail.
    """
    people = _people(obj)
    state: State = {}
    for field in obj._meta.concrete_fields:
        if field.primary_key or field.name == "updated_at" or isinstance(field, FoldedField):
            continue
        value = getattr(obj, field.attname)
        hidden = _SECRET.search(field.name) or (isinstance(field, TextField) and field.name not in texts)
        state[field.name] = Hidden(value) if hidden else _plain(field, value, people)
    for relation in obj._meta.many_to_many:
        related = getattr(obj, relation.name).select_related()
        state[relation.name] = sorted(_text(str(one)) for one in related)
    return state


def _people(obj: Model) -> dict[Any, str]:
    """The names behind the foreign keys to users, in one query."""
    user = get_user_model()
    ids = {
        getattr(obj, field.attname) for field in obj._meta.concrete_fields if field.related_model is user
    } - {None}
    return (
        {one.pk: f"{one.get_username()} ({one.pk})" for one in user._default_manager.filter(pk__in=ids)}
        if ids
        else {}
    )


def _plain(field: "Field[Any, Any]", value: object, people: dict[Any, str]) -> Any:
    if field.related_model is get_user_model():
        return people.get(value, value)
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, datetime):
        return value.isoformat(timespec="microseconds")
    return _text(str(value))


def _text(text: str) -> str:
    """Without what PostgreSQL's JSON may not hold."""
    return text.replace("\0", "\\0").encode("utf-8", "backslashreplace").decode()


def difference(before: State, after: State) -> tuple[dict[str, Any], dict[str, Any]]:
    """What differs between two states and may be shown. An empty state means that there was no object."""
    if not before or not after:
        return _told(before), _told(after)
    names = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    was, now = {}, {}
    for name in names:
        hidden = isinstance(before.get(name), Hidden) or isinstance(after.get(name), Hidden)
        was[name] = NOT_SHOWN if hidden else before.get(name)
        now[name] = CHANGED if hidden else after.get(name)
    return was, now


def _told(state: State) -> dict[str, Any]:
    """What may be shown of an object that was added or deleted."""
    return {
        name: value
        for name, value in state.items()
        if not isinstance(value, Hidden) and value not in (None, "", [])
    }
