"""Every field of every model, to every endpoint that writes: nothing is set but what the endpoint is for."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from django.apps import apps
from django.contrib.auth.hashers import check_password
from django.db import models
from django.utils import timezone
from pytest_django import Settings
from rest_framework.test import APIClient
from time_machine import TimeMachineFixture

from accounts.models import MailSecret, Session, User
from accounts.services.leaving import request_deletion
from accounts.services.second_factor import begin_totp
from accounts.tests.factors import Phone, enrol, login_token
from accounts.tests.mailbox import undo_token
from accounts.tokens import digest
from aimessage.events.models import Event
from assistant.views import questions
from channels.codes import code_of
from channels.models import LinkCode
from channels.services.linking import send_sms_code
from conftest import ApiClient
from tests.assertions import ISSUER, ISSUER_KEY, sign_assertion
from tests.described import OPERATIONS, resolve
from tests.factories import (
    PASSWORD,
    AddressFactory,
    BlockFactory,
    MessageFactory,
    PersonalTokenFactory,
    ReplyFactory,
    ReportFactory,
    UserFactory,
)
from tests.routes import undone

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("channels_on")]

NO_CODES = {"code": None, "recovery_code": None}
NEW_PASSWORD = "amber-kettle-77"
MODELS = [model for model in apps.get_models() if not model._meta.proxy]
#: Without what takes forms: those are Twilio's, and signed as a whole.
WRITING = [
    name
    for name, operation in OPERATIONS.items()
    if operation["method"] != "GET"
    and not operation.get("requestBody", {"content": {}})["content"].keys() - {"application/json"}
]
#: What a row has of the moment or of chance, which two that mean the same differ in.
CHANCE = {"session_token", "token", "prefix", "hash", "previous", "secret", "digest", "salt"}
CHANCE |= {"uuid", "args_kwargs", "enqueued_at"}
#: By name, whose ids the events hold as mere numbers. PostgreSQL gives an id only once, after a rollback too.
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
    """By what a careless view might take a value for the field."""
    name = field.get_accessor_name() if field.auto_created and not field.concrete else field.name
    yield from {name, getattr(field, "attname", name), getattr(field, "column", None) or name} - {None}
    for relation in ("user", "sender", "recipient", "reporter"):
        yield f"{relation}__{name}"


def hostile(field: Any, user: User) -> Any:
    """A value of the field's kind that no row here has."""
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
    """All fields of all models; a name that several have with other values comes in as many bodies."""
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
    """All that the tables hold."""
    return {
        model._meta.label: {row[model._meta.pk.attname]: row for row in model._default_manager.values()}
        for model in MODELS
    }


def alike(after: dict[str, dict[Any, dict[str, Any]]], before: dict[str, dict[Any, dict[str, Any]]]) -> Any:
    """What differs from `before`, without what is of chance, so that it can be compared with another such."""
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


def mailed(me: User) -> dict[str, str]:
    """Tokens of a link with which to set a password, and of one that verifies the address."""
    for purpose in ("reset", "verify"):
        MailSecret.objects.create(
            user=me,
            purpose=purpose,
            address_key=me.email_key,
            token=digest(f"{purpose} of {me.pk}"),
            code="",
            expires_at=timezone.now() + timedelta(hours=1),
        )
    return {purpose: f"{purpose} of {me.pk}" for purpose in ("reset", "verify")}


@pytest.fixture
def ids(
    alice: User,
    bob: User,
    carol: User,
    superuser: User,
    as_user: ApiClient,
    settings: Settings,
    assistant_on: None,
    monkeypatch: pytest.MonkeyPatch,
) -> dict[str, dict[str, Any]]:
    """By who asks, what stands in paths and what makes a body good."""
    # Nobody answers here.
    monkeypatch.setattr(questions, "wait_for_answer", lambda question: question)
    made = {}
    settings.ISSUER, settings.ISSUER_KEY = ISSUER, ISSUER_KEY
    UserFactory(username="another", is_superuser=True)  # so that root is not the last
    leaver = UserFactory(username="leaver")
    request_deletion(leaver, erases=False)
    token = undo_token()
    for me in (alice, superuser):
        sent, received = MessageFactory(sender=me, recipient=bob), MessageFactory(sender=bob, recipient=me)
        BlockFactory(blocker=me, blocked=carol)
        made[me.username] = {
            "/messages/{id}": sent.pk,
            "/messages/{id}/read": received.pk,
            "/reports/{id}": ReportFactory(reporter=me, message=received).pk,
            "/assistant/replies/{id}": ReplyFactory(asker=me).pk,
            "/assistant/replies/{id}/retry": ReplyFactory(asker=me, state="failed").pk,
            "/auth/tokens/{id}": PersonalTokenFactory(user=me).pk,
            "/auth/sessions/{id}": as_user(me).session_row.pk,
            "/auth/blocks/{user_id}": carol.pk,
            "/auth/me/phone/addresses/{id}": AddressFactory(user=me).pk,
            "conversation_id": sent.conversation_id,
            "refresh_token": as_user(me).tokens.refresh_token,
            "assertion": sign_assertion(email="dora@example.org"),
            "token": token,
            **mailed(me),
        }
    return made


def prepare(name: str, me: User, ids: dict[str, Any]) -> None:
    """The state in which the operation makes sense."""
    if name in {"log_in_second_factor", "renew_recovery_codes", "remove_second_factor"}:
        ids["code"] = enrol(me)[0].code()
        ids["login_token"] = login_token(APIClient(), me.username)
    elif name == "confirm_totp":
        ids["code"] = Phone(begin_totp(me).secret).code()
    elif name == "finish_link":
        send_sms_code(me, phone_number="+14155550100")
        ids["code"] = code_of(LinkCode.objects.get(user=me))


def good_body(name: str, me: User, bob: User, ids: dict[str, Any]) -> dict[str, Any]:
    """What the operation is sent when all is well: every field that it has."""
    text = {"content": "Noon?"}
    proof = {"current_password": PASSWORD, "code": ids.get("code"), "recovery_code": None}
    profile = {"full_name": "Dora Dale", "phone_number": "+4930123456"}
    return {
        "log_in": {"username": me.username, "password": PASSWORD, **NO_CODES},
        "log_in_second_factor": {
            "login_token": ids.get("login_token"),
            "code": ids.get("code"),
            "recovery_code": None,
        },
        "begin_totp": {"current_password": PASSWORD, **NO_CODES},
        "confirm_totp": {"code": ids.get("code")},
        "renew_recovery_codes": proof,
        "remove_second_factor": proof,
        "register_user": {"username": "dora", "email": "dora@example.org", "password": PASSWORD, **profile}
        | {"invitation": None},
        "set_phone": {"phone_number": "+14155550100"},
        "begin_link": {"method": "text", "phone_number": None},
        "finish_link": {"code": ids.get("code")},
        "make_token": {"name": "Backup", "scopes": ["messages:read"], "expires_in_days": 30, **proof},
        "update_preferences": {"notify_logins": False},
        "patch_preferences": {"notify_logins": False},
        "refresh_tokens": {"refresh_token": ids["refresh_token"]},
        "log_out": {"refresh_token": ids["refresh_token"]},
        "update_me": {"bio": "Bakes.", **profile},
        "patch_me": {"bio": "Bakes.", **profile},
        "change_password": {"current_password": PASSWORD, "new_password": NEW_PASSWORD, **NO_CODES},
        "ask_for_password_reset": {"email": me.email},
        "reset_password": {"token": ids["reset"], "email": "", "code": "", "new_password": NEW_PASSWORD},
        "ask_for_verification": {"email": me.email},
        "verify_address": {"token": ids["verify"], "email": "", "code": ""},
        "change_address": {"email": "new@example.org", **proof},
        "exchange_assertion": {"assertion": ids["assertion"]},
        "export_me": proof,
        "delete_me": {**proof, "messages": "erase"},
        "cancel_deletion": {**NO_CODES, "token": ids["token"], "username": "leaver", "password": PASSWORD},
        "block_user": {"user_id": bob.pk},
        "update_assistant": {"share_messages": True},
        "ask_assistant": text,
        "ask_assistant_twilio": text,
        "send_message": {**text, "recipient_id": bob.pk, "conversation_id": None, "parent_id": None},
        "send_conversation_message": {**text, "recipient_id": bob.pk, "parent_id": None},
        "update_message": text,
        "patch_message": text,
        "file_report": {**text, "title": "Insults", "message_id": ids["/messages/{id}/read"]},
        "ask_for_person": {"reason": "It does not help."},
        "update_report": {**text, "title": "Insults"},
        "patch_report": {**text, "title": "Insults"},
    }.get(name, {})


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
    ids: dict[str, dict[str, Any]],
    bob: User,
    mallory: User,
    time_machine: TimeMachineFixture,
    name: str,
    role: str,
) -> None:
    time_machine.move_to(datetime.now(UTC), tick=False)
    me = User.objects.get(username=role)
    prepare(name, me, ids[role])
    client, operation, mine = as_user(me), OPERATIONS[name], ids[role]
    # What has no object of its own is done to that of the shorter path.
    named = mine.get(operation["path"], mine.get(operation["path"].rpartition("/")[0]))
    path = operation["path"].format(id=named, user_id=named, conversation_id=mine["conversation_id"])
    own, good = fields_of(operation), good_body(name, me, bob, mine)
    assert set(good) == own
    plain, before = told(client, operation["method"], path, good)

    assert plain[0] in {200, 201, 202, 204}, plain
    for body in bodies(mallory, own):
        with_more, _ = told(client, operation["method"], path, {**body, **good}, before)
        assert with_more == plain
        query = f"{path}?{urlencode({key: json.dumps(value) for key, value in list(body.items())[:80]})}"
        with_query, _ = told(client, operation["method"], query, good, before)
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
