"""Erases the personal data of deleted accounts from the trail; ids, kinds, times and hashes stay.

Appending the row that records a deletion erases the account's personal data from earlier rows. The new row
seals what remains of them, so that the chain still verifies (aimessage/audit/chain.py).
"""

import re
import secrets
from collections.abc import Iterable, Iterator, Mapping
from copy import deepcopy
from datetime import datetime
from functools import cache

from django.apps import apps
from django.contrib.auth import get_user_model
from django.db.models import Q, QuerySet, TextField
from django.db.models.functions import Cast

from aimessage.audit.chain import SEAL, hash_of, seal_of
from aimessage.audit.models import SALT_LENGTH, Entry, Erasure
from aimessage.audit.states import CHANGED, NOT_SHOWN, State
from aimessage.db.text import fold

#: The acts that erase an account's personal data.
ERASING = ("user.deleted", "user.erased")
ERASED = "(erased)"
#: Texts and lists of an account that are not personal.
KEPT = {"groups", SEAL}
#: Rows that are held in memory at a time.
BATCH = 500
COLUMNS = [
    *("actor_name", "actor_key", "sentence", "target_label", "target_key"),
    *("address", "before", "after", "salt"),
]

#: By user id, what a person is known as: names, address, phone number.
People = Mapping[int, frozenset[str]]


def new_salt() -> str:
    return secrets.token_hex(SALT_LENGTH // 2)


def user_kind() -> str:
    return get_user_model()._meta.label_lower


def is_erasing(entry: Entry) -> bool:
    return entry.act in ERASING and entry.target_kind == user_kind()


def deleted_people(entries: Iterable[Entry]) -> People:
    """The people in `entries` whose deletion the trail or `entries` record, with the names in `entries`."""
    entries = list(entries)
    named = {pk for entry in entries for pk in _people_in(entry)}
    before = Entry.objects.filter(
        target_kind=user_kind(), target_id__in=[str(pk) for pk in named], act__in=ERASING
    ).values_list("target_id", flat=True)
    deleted: dict[int, frozenset[str]] = {int(pk): frozenset() for pk in before}
    for entry in entries:
        if is_erasing(entry):
            pk = int(entry.target_id)
            deleted[pk] = deleted.get(pk, frozenset()) | entry.known_as | _names_in(entry)
    return deleted


def _people_in(entry: Entry) -> Iterator[int]:
    if entry.actor_id is not None:
        yield entry.actor_id
    if entry.target_kind == user_kind() and entry.target_id.isdecimal():
        yield int(entry.target_id)
    people = _people_fields(entry.target_kind)
    for state in (entry.before, entry.after):
        for name in people & state.keys():
            if found := _PERSON.search(str(state[name])):
                yield int(found[1])


#: As aimessage.audit.states writes people: `alice (3)`.
_PERSON = re.compile(r" \((\d{1,18})\)\Z")


@cache
def _people_fields(kind: str) -> frozenset[str]:
    try:
        model = apps.get_model(kind)
    except (LookupError, ValueError):
        return frozenset()
    return frozenset(f.name for f in model._meta.concrete_fields if f.related_model is get_user_model())


@cache
def _kinds_with_people() -> list[str]:
    return [label for label in (m._meta.label_lower for m in apps.get_models()) if _people_fields(label)]


def erase(entry: Entry, deleted: People) -> bool:
    """Removes personal data of the people in `deleted` from `entry`; returns whether anything changed."""
    if not deleted:
        return False
    was = deepcopy([getattr(entry, column) for column in COLUMNS])
    own = int(entry.target_id) if entry.target_kind == user_kind() and entry.target_id.isdecimal() else None
    if entry.actor_id in deleted:
        entry.actor_name, entry.address = _deleted_label(entry.actor_id), ""
    if own is not None and own in deleted:
        entry.target_label = _deleted_label(own)
        entry.before, entry.after = _without_texts(entry.before), _without_texts(entry.after)
        if entry.actor_id is None and entry.actor_name:
            entry.actor_name, entry.address = _deleted_label(own), ""
        entry.sentence = _without_names(entry.sentence, deleted[own])
    people = _people_fields(entry.target_kind)
    for state in (entry.before, entry.after):
        for name in people & state.keys():
            state[name] = _without_person(state[name], deleted)
    _erase_by_name(entry, deleted)
    entry.actor_key, entry.target_key = fold(entry.actor_name), fold(entry.target_label)
    return was != [getattr(entry, column) for column in COLUMNS]


def _without_names(sentence: str, known: frozenset[str]) -> str:
    for text in known:
        sentence = re.sub(rf"(?<!\w){re.escape(text)}(?!\w)", ERASED, sentence)
    return sentence


def _erase_by_name(entry: Entry, deleted: People) -> None:
    # Rows that refer to an account by a name instead of its id.
    if entry.act == "audit.exported" and "q" in entry.after:
        entry.after = {**entry.after, "q": NOT_SHOWN}
    if entry.target_kind != user_kind():
        # An administrator deleted failed logins under the name (accounts.FailedLogin).
        name = fold(str(entry.before.get("username") or ""))
        if name and any(name == fold(text) for known in deleted.values() for text in known):
            entry.before, entry.target_label = _without_texts(entry.before), ERASED


def _deleted_label(pk: int | None) -> str:
    return f"Deleted user {pk}"


def _without_person(value: object, deleted: People) -> object:
    found = _PERSON.search(value) if isinstance(value, str) else None
    return _deleted_label(int(found[1])) if found and int(found[1]) in deleted else value


def _without_texts(state: State) -> State:
    # Keeps flags, roles and times of an account. Texts are personal.
    return {name: value if name in KEPT or _is_plain(value) else ERASED for name, value in state.items()}


def _is_plain(value: object) -> bool:
    if value is None or isinstance(value, bool | int) or value in (NOT_SHOWN, CHANGED, []):
        return True
    try:
        return isinstance(value, str) and datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False


def _names_in(entry: Entry) -> frozenset[str]:
    columns = ("username", "email", "full_name", "phone_number")
    values = (state.get(name) for state in (entry.before, entry.after) for name in columns)
    labels = [] if entry.target_label.startswith("Deleted user ") else [entry.target_label]
    texts = [text for text in (*values, *labels) if isinstance(text, str)]
    return frozenset(text for text in texts if text and text not in (ERASED, NOT_SHOWN, CHANGED))


def erase_rows(people: People, *, by: int) -> State:
    """Erases personal data of `people` from the rows before row `by`; returns what goes into its `after`.

    The caller holds the lock of the head, and appends row `by`.
    """
    people = _with_names_in_trail(people)
    seals: list[tuple[int, str]] = []
    last = 0
    rows = _rows_about(people)
    while batch := list(rows.filter(pk__gt=last).order_by("pk")[:BATCH]):
        last = batch[-1].pk
        changed = [entry for entry in batch if erase(entry, people)]
        for entry in changed:
            entry.salt = new_salt()
        left = [(entry.pk, hash_of(entry)) for entry in changed]
        Erasure.objects.bulk_create(Erasure(entry_id=pk, by=by, hash=hash_) for pk, hash_ in left)
        # Not by the model's own queryset, which refuses updates. The database's trigger permits erasures.
        plain: QuerySet[Entry] = QuerySet(Entry)
        plain.bulk_update(changed, COLUMNS, batch_size=100)
        seals += left
    return {"rows_erased": len(seals), SEAL: seal_of(seals)}


def _with_names_in_trail(people: People) -> People:
    found = {pk: set(known) for pk, known in people.items()}
    own = Entry.objects.filter(target_kind=user_kind(), target_id__in=[str(pk) for pk in people])
    for entry in own.iterator():
        found[int(entry.target_id)] |= _names_in(entry)
    return {pk: frozenset(known) for pk, known in found.items()}


def _rows_about(people: People) -> "QuerySet[Entry]":
    # Rows by and about them are found through indexes, others by a search of their text.
    ids = "|".join(map(str, people))
    by_or_about = Q(actor_id__in=people) | Q(
        target_kind=user_kind(), target_id__in=[str(pk) for pk in people]
    )
    named = Q(before_text__regex=rf' \(({ids})\)"') | Q(after_text__regex=rf' \(({ids})\)"')
    mentions = Q(target_kind__in=_kinds_with_people()) & named
    nameless = Q(act="audit.exported") | Q(before__has_key="username")
    return Entry.objects.annotate(
        before_text=Cast("before", TextField()), after_text=Cast("after", TextField())
    ).filter(by_or_about | mentions | (nameless & ~Q(target_kind=user_kind())))
