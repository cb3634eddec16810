"""Sends every field of every model to every endpoint that writes: it sets its own fields and no others."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import pytest
from django.apps import apps
from django.contrib.auth.hashers import check_password
from django.db import connection, models
from rest_framework.test import APIClient
from time_machine import TimeMachineFixture

from accounts.models import Session, User
from aimessage.events.models import Event
from assistant.views import questions
from conftest import ApiClient
from tests.api_catalogue import CATALOGUE, NEW_PASSWORD, Given, make_given, prepare
from tests.described import OPERATIONS, resolve
from tests.factories import PASSWORD, UserFactory
from tests.routes import undone

pytestmark = [
    *(pytest.mark.django_db, pytest.mark.once),
    pytest.mark.usefixtures("channels_on", "assistant_on", "issuer_on"),
]

MODELS = [model for model in apps.get_models() if not model._meta.proxy]
#: Without the operations that take forms. Twilio sends those, and signs them as a whole.
WRITING = [
    name
    for name, operation in OPERATIONS.items()
    if operation["method"] != "GET"
    and not operation.get("requestBody", {"content": {}})["content"].keys() - {"application/json"}
]
#: Columns with random values, or with the time, in which two equal requests differ.
CHANCE = {"session_token", "token", "prefix", "hash", "previous", "secret", "digest", "salt"}
CHANCE |= {"uuid", "args_kwargs", "enqueued_at"}
#: Fields of events that hold ids as plain numbers, with the model of each. PostgreSQL gives no id twice, even
#: after a rollback.
IDS = {
    "user_id": "accounts.User",
    "message_id": "messaging.Message",
    "report_id": "reports.Report",
    "session_id": "accounts.Session",
    "reply_id": "assistant.Reply",
    "question_id": "messaging.Message",
    "answer_id": "messaging.Message",
}


def names_of(field: Any) -> Iterator[str]:
    """The names under which a careless view might read a value for the field."""
    name = field.get_accessor_name() if field.auto_created and not field.concrete else field.name
    yield from {name, getattr(field, "attname", name), getattr(field, "column", None) or name} - {None}
    for relation in ("user", "sender", "recipient", "reporter"):
        yield f"{relation}__{name}"


def hostile(field: Any, user: User) -> Any:
    """A value of the field's type that no row here has."""
    if field.is_relation:
        return [user.pk] if field.many_to_many or field.one_to_many else user.pk
    match field:
        case models.BooleanField():
            return field.name != "is_active"
        case models.IntegerField() | models.AutoField():
            return 10**6
        case models.DateTimeField():
            return "2000-01-01T00:00:00Z"
        case models.GenericIPAddressField():
            return "192.0.2.66"
        case models.EmailField():
            return "owned@example.org"
        case models.JSONField():
            return {"owned": True}
    if field.choices:
        return list(field.choices)[-1][0]
    return "owned"


def bodies(user: User, own: set[str]) -> list[dict[str, Any]]:
    """All fields of all models. A name that needs several values comes in several bodies."""
    found: list[dict[str, Any]] = [{"pk": 10**6, "owned": True}]
    for model in MODELS:
        for field in model._meta.get_fields():
            for name in set(names_of(field)) - own:
                value = hostile(field, user)
                if any(body.get(name) == value for body in found):
                    continue
                free = next((body for body in found if name not in body), None)
                if free is None:
                    free = {}
                    found.append(free)
                free[name] = value
    return found


def rows() -> dict[str, dict[int, dict[str, Any]]]:
    """Every row of every table."""
    tables = {model._meta.db_table for model in MODELS}
    asked = (f"SELECT '{table}' WHERE EXISTS (SELECT 1 FROM {table})" for table in tables)  # noqa: S608
    with connection.cursor() as cursor:  # most are empty, and one query says which
        cursor.execute(" UNION ALL ".join(asked))
        filled = {table for (table,) in cursor.fetchall()}
    return {
        model._meta.label: {row[model._meta.pk.attname]: row for row in model._default_manager.values()}
        if model._meta.db_table in filled
        else {}
        for model in MODELS
    }


def alike(after: dict[str, dict[Any, dict[str, Any]]], before: dict[str, dict[Any, dict[str, Any]]]) -> Any:
    """The difference from `before` without random values, to compare with another difference."""
    fresh = {label: table.keys() - before[label].keys() for label, table in after.items()}
    told: dict[str, list[Any]] = {}
    for model in MODELS:
        label = model._meta.label
        changed = [row for pk, row in after[label].items() if row != before[label].get(pk)]
        gone = sorted(map(str, before[label].keys() - after[label].keys()))
        told[label] = [gone, *sorted(repr(_plain(model, row, fresh)) for row in changed)]
    return told


def _plain(model: type[models.Model], row: dict[str, Any], fresh: dict[str, set[Any]]) -> dict[str, Any]:
    plain = {}
    for field in model._meta.concrete_fields:
        value, of = row[field.attname], field.related_model if field.is_relation else model
        if field.name == "password" and value:
            value = [word for word in (PASSWORD, NEW_PASSWORD, "owned") if check_password(word, value)]
        is_id = field.primary_key or field.is_relation
        is_fresh = is_id and value in fresh[of._meta.concrete_model._meta.label]
        plain[field.attname] = "new" if field.name in CHANCE or is_fresh else value
    if model is Event:
        data = {name: _id(name, value, fresh) for name, value in (plain["data"] or {}).items()}
        plain = {name: _id(name, value, fresh) for name, value in plain.items()} | {"data": data}
    return plain


def _id(name: str, value: Any, fresh: dict[str, set[Any]]) -> Any:
    return "new" if name in IDS and value in fresh[IDS[name]] else value


@pytest.fixture
def given(alice: User, bob: User, superuser: User, monkeypatch: pytest.MonkeyPatch) -> dict[str, Given]:
    """By username. The rows of both users are there."""
    # No worker answers here.
    monkeypatch.setattr(questions, "wait_for_answer", lambda question: question)
    UserFactory(username="another", is_superuser=True)  # so that root is not the last
    return {me.username: make_given(me, bob) for me in (alice, superuser)}


def fields_of(operation: dict[str, Any]) -> set[str]:
    content = operation.get("requestBody", {}).get("content", {})
    schema = resolve(content["application/json"]["schema"]) if content else {}
    return {
        name for name, field in schema.get("properties", {}).items() if not resolve(field).get("readOnly")
    }


def test_every_field_of_every_model_is_sent(alice: User) -> None:
    sent = {name for body in bodies(alice, set()) for name in body}
    columns = {field.attname for model in MODELS for field in model._meta.concrete_fields}

    assert columns <= sent
    assert {"is_superuser", "groups", "sessions", "sender__is_staff", "session_token"} <= sent
    assert len(sent) >= 300


@pytest.mark.parametrize("role", ["alice", "root"])
@pytest.mark.parametrize("name", WRITING)
def test_no_endpoint_sets_more_than_it_is_for(
    as_user: ApiClient,
    given: dict[str, Given],
    mallory: User,
    time_machine: TimeMachineFixture,
    name: str,
    role: str,
) -> None:
    time_machine.move_to(datetime.now(UTC), tick=False)
    mine, operation = given[role], CATALOGUE[name]
    prepare(operation, mine)
    client, path, good = as_user(mine.me), mine.url(operation), mine.body(operation) or {}
    own = fields_of(OPERATIONS[name])
    assert set(good) == own, "tests/api_catalogue.py: the good body has every field"
    plain, before = told(client, operation.method, path, good)

    assert plain[0] in {200, 201, 202, 204}, plain
    for body in bodies(mallory, own):
        with_more, _ = told(client, operation.method, path, {**body, **good}, before)
        assert with_more == plain
        query = f"{path}?{urlencode({key: json.dumps(value) for key, value in list(body.items())[:80]})}"
        with_query, _ = told(client, operation.method, query, good, before)
        assert with_query == plain


def told(
    client: APIClient, method: str, url: str, body: dict[str, Any], before: Any = None
) -> tuple[tuple[int, Any], Any]:
    """The status and what it changed; and the rows as they were before."""
    before = rows() if before is None else before
    with undone():
        answer = client.generic(method, url, json.dumps(body).encode(), content_type="application/json")
        changed = alike(rows(), before)
    assert answer.status_code < 500, answer.content
    assert Session.objects.filter(pk=client.session_row.pk, is_active=True).exists()
    return (answer.status_code, changed), before
