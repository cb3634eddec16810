"""The state of an object before and after an act, without what the audit trail must not contain."""

import re
from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple

from django.contrib.auth import get_user_model
from django.db.models import Field, Model, TextField

from aimessage.db.fields import FoldedField

State = dict[str, object]

#: For these columns the trail only says that they changed.
_SECRET = re.compile(r"password|token|secret|key|hash")
NOT_SHOWN = "(not shown)"
CHANGED = "(changed)"


class Hidden(NamedTuple):
    """A value that is compared but never shown."""

    value: object


def state_of(obj: Model, *, texts: Collection[str] = ()) -> State:
    """The columns and many-to-many relations of `obj`, by name.

    Secrets are hidden, and so are TextFields that `texts` does not name: a new page cannot put somebody's
    message into the trail by accident.
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


def _people(obj: Model) -> dict[object, str]:
    # Names by user id, for all foreign keys to users in one query.
    user = get_user_model()
    ids = {
        getattr(obj, field.attname) for field in obj._meta.concrete_fields if field.related_model is user
    } - {None}
    return (
        {one.pk: f"{one.get_username()} ({one.pk})" for one in user._default_manager.filter(pk__in=ids)}
        if ids
        else {}
    )


def _plain(field: Field, value: object, people: dict[object, str]) -> object:
    if field.related_model is get_user_model():
        return people.get(value, value)
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, datetime):
        return value.isoformat(timespec="microseconds")
    return _text(str(value))


def _text(text: str) -> str:
    # PostgreSQL's JSON holds neither NUL nor lone surrogates.
    return text.replace("\0", "\\0").encode("utf-8", "backslashreplace").decode()


def difference(before: State, after: State) -> tuple[State, State]:
    """What differs, as the trail may show it. An empty state means that the object did not exist."""
    if not before or not after:
        return _shown(before), _shown(after)
    names = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    was: State = {}
    now: State = {}
    for name in names:
        hidden = isinstance(before.get(name), Hidden) or isinstance(after.get(name), Hidden)
        was[name] = NOT_SHOWN if hidden else before.get(name)
        now[name] = CHANGED if hidden else after.get(name)
    return was, now


def _shown(state: State) -> State:
    return {
        name: value
        for name, value in state.items()
        if not isinstance(value, Hidden) and value not in (None, "", [])
    }
