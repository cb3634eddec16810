"""The API's description says what the API does, no more and no less."""

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from django.contrib.staticfiles import finders
from django.core.management import call_command
from django.test import Client
from pytest_django import Settings
from rest_framework.test import APIClient

from accounts.models import User
from accounts.tests.factors import Phone
from accounts.tests.mailbox import deliver, token_in
from accounts.views.leaving import ZIP
from aimessage.api.links import LINKS
from assistant.account import get_profile
from assistant.models import Reply
from channels.codes import code_of
from channels.models import LinkCode
from channels.tests.webhook import ANN_SMS, PUBLIC, Twilio, sms
from conftest import ApiClient
from tests.assertions import ISSUER, ISSUER_KEY, sign_assertion
from tests.described import OPERATIONS, SPEC, check, resolve
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
from tests.routes import api_routes

pytestmark = pytest.mark.once

#: Pages of HTML, which are for people.
PAGES = {("GET", "/chat"), ("GET", "/docs"), ("GET", "/redoc")}
#: Where something secret can be tried without a login.
GUESSED_AT = {"log_in", "log_in_second_factor", "refresh_tokens", "exchange_assertion", "cancel_deletion"}


def media(operation: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The bodies that an operation takes and gives, each with what it is for."""
    if "requestBody" in operation:
        for described in operation["requestBody"]["content"].values():
            yield "request", described
    for status, response in operation["responses"].items():
        for kind, described in resolve(response).get("content", {}).items():
            if kind != ZIP:
                yield status, described


def test_it_is_generated_without_a_warning(tmp_path: Any) -> None:
    call_command("spectacular", validate=True, fail_on_warn=True, file=str(tmp_path / "schema.yaml"))


def test_it_has_every_route_and_no_other() -> None:
    described = {(operation["method"], operation["path"]) for operation in OPERATIONS.values()}
    unnamed = {(method, re.sub("{.*?}", "{}", path)) for method, path in described}
    routed = {(method, re.sub("<.*?>", "{}", path)) for method, path in api_routes()}

    assert len(unnamed) == len(described) == len(OPERATIONS)
    assert unnamed == routed - PAGES


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_operation_is_described(name: str) -> None:
    operation = OPERATIONS[name]
    (tag,) = operation["tags"]

    assert operation.get("summary"), f"{operation['method']} {operation['path']} is in no openapi.py"
    assert tag in {described["name"] for described in SPEC["tags"]}


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_body_has_examples_that_fit(name: str) -> None:
    for what, described in media(OPERATIONS[name]):
        assert described["examples"], what
        for example in described["examples"].values():
            check(example["value"], described["schema"])


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_operation_names_its_errors(name: str) -> None:
    operation = OPERATIONS[name]
    responses = operation["responses"]
    locked, writes = {"bearer": []} in operation["security"], operation["method"] != "GET"
    takes_key = any(parameter["name"] == "Idempotency-Key" for parameter in operation.get("parameters", []))
    touches_database = name not in {"get_root", "check_health", "get_openapi", "get_config"}

    assert {"400", "406", "500"} <= set(responses)
    assert ("401" in responses) == (locked or name in GUESSED_AT)
    assert ("409" in responses) == writes
    assert ("413" in responses) == ("415" in responses) == (operation["method"] in {"POST", "PUT", "PATCH"})
    assert ("422" in responses) == takes_key
    assert ("503" in responses) == touches_database
    assert "404" in responses or "{" not in operation["path"]
    for status, response in responses.items():
        if status >= "400":
            assert list(resolve(response)["content"]) == ["application/problem+json"]


@pytest.mark.parametrize(
    ("status", "names"),
    [
        # what needs a token may lack a scope, or need a session
        ("403", {"log_in", "log_in_second_factor", "register_user", "exchange_assertion", "cancel_deletion"}
         | {"ask_for_password_reset", "ask_for_verification", "take_twilio_message", "take_twilio_report"}
         | {name for name, operation in OPERATIONS.items() if operation["security"]}),
        ("429", {"log_in", "register_user", "refresh_tokens", "make_token"}
         | {"send_message", "send_conversation_message"}
         | {"update_message", "patch_message", "change_password", "file_report"}
         | {"list_messages", "list_sent_messages", "list_received_messages", "list_conversation_messages"}
         | {"search_directory", "list_people", "list_blocks", "block_user", "unblock_user", "show_typing"}
         | {"log_in_second_factor", "begin_totp", "confirm_totp", "renew_recovery_codes"}
         | {"remove_second_factor", "exchange_assertion", "export_me", "delete_me", "cancel_deletion"}
         | {"ask_for_password_reset", "reset_password", "ask_for_verification", "verify_address"}
         | {"change_address", "ask_assistant", "ask_assistant_twilio", "retry_reply"}
         | {"ask_for_person", "begin_link"}),
    ],
)  # fmt: skip
def test_some_errors_are_those_of_a_few_operations(status: str, names: set[str]) -> None:
    assert {name for name, operation in OPERATIONS.items() if status in operation["responses"]} == names


@pytest.mark.parametrize(
    ("header", "places"),
    [
        ("WWW-Authenticate", lambda name, status: status == "401"),
        ("Retry-After", lambda name, status: status in {"429", "503"}),
        ("X-Request-ID", lambda name, status: True),
        ("Link", lambda name, status: status == "200" and "List" in str(OPERATIONS[name])),
        ("Idempotent-Replayed", lambda name, status: status == "201" and "422" in str(OPERATIONS[name])),
    ],
)  # fmt: skip
def test_it_names_headers_where_they_are_sent(header: str, places: Any) -> None:
    for name, operation in OPERATIONS.items():
        for status, response in operation["responses"].items():
            assert (header in resolve(response)["headers"]) == places(name, status), (name, status)


def test_links_lead_to_operations_and_name_what_these_take() -> None:
    links = {
        (name, target["operationId"]): target.get("requestBody")
        for name, operation in OPERATIONS.items()
        for response in operation["responses"].values()
        for target in resolve(response).get("links", {}).values()
    }

    assert len(links) == sum(map(len, LINKS.values()))
    for (_, target), body in links.items():
        # openapi-generator takes no other body than an expression.
        takes = "requestBody" in OPERATIONS[target]
        assert body == ("$response.body" if takes else None)


def test_filters_may_be_empty_and_say_what_they_are() -> None:
    for name in (
        "list_messages",
        "list_sent_messages",
        "list_received_messages",
        "list_conversation_messages",
        "list_reports",
    ):
        filters = [one for one in OPERATIONS[name]["parameters"] if "allowEmptyValue" in one]
        assert len(filters) >= 2
        assert all(one["description"] for one in filters)


def test_it_tells_nothing_of_the_code() -> None:
    descriptions = {one.get("description", "") for one in SPEC["components"]["schemas"].values()}

    assert not any("serializer" in text.lower() for text in descriptions)


def test_ids_in_paths_are_integers_but_those_of_conversations() -> None:
    kinds = {
        (parameter["name"], parameter["schema"]["type"], "pattern" in parameter["schema"])
        for operation in OPERATIONS.values()
        for parameter in operation.get("parameters", [])
        if parameter["in"] == "path"
    }

    assert kinds == {
        ("id", "integer", False),
        ("user_id", "integer", False),
        ("conversation_id", "string", True),
    }


def test_authorize_takes_a_pasted_token() -> None:
    scheme = SPEC["components"]["securitySchemes"]["bearer"]

    assert (scheme["type"], scheme["scheme"]) == ("http", "bearer")
    assert OPERATIONS["get_me"]["security"] == [{"bearer": []}]


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
def test_its_pages_name_no_outside_host(client: APIClient, path: str) -> None:
    page = client.get(path)
    html = page.content.decode()
    assets = re.findall(r'<(?:script|link|img)[^>]* (?:src|href)="([^"]+)"', html)

    assert page.status_code == 200
    assert "://" not in html
    assert "//" not in re.sub(r"\s//.*", "", html)
    assert len(assets) > 0
    for asset in assets:
        assert asset.startswith("/static/")
        assert finders.find(asset.removeprefix("/static/")), asset
    assert "default-src 'self'" in page["Content-Security-Policy"]
    assert "http" not in page["Content-Security-Policy"]


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
def test_its_pages_refuse_with_a_problem(client: APIClient, path: str) -> None:
    for answer, status in [(client.post(path), 405), (client.get(path, HTTP_ACCEPT="image/png"), 406)]:
        assert answer.status_code == answer.json()["status"] == status
        assert answer["Content-Type"] == "application/problem+json"


@pytest.mark.usefixtures("channels_on")
def test_the_answers_of_every_operation_have_exactly_its_keys(
    client: APIClient,
    as_user: ApiClient,
    alice: User,
    bob: User,
    carol: User,
    settings: Settings,
    assistant_on: None,
) -> None:
    settings.ISSUER, settings.ISSUER_KEY = ISSUER, ISSUER_KEY
    settings.PUBLIC_URLS, settings.TWILIO = [PUBLIC], replace(settings.TWILIO, inbox="bob")
    answers = walk(client, as_user, alice, bob, carol)
    # What is done to a message and takes no body need not be named there.
    somebody = UserFactory()
    for name, operation in OPERATIONS.items():
        is_simple = "requestBody" not in operation and operation["path"].startswith("/messages/{id}/")
        if is_simple and name not in answers:
            path = operation["path"].format(id=MessageFactory(sender=bob, recipient=somebody).pk)
            answers[name] = getattr(as_user(somebody), operation["method"].lower())(path)

    # tests/test_event_streams.py reads what is no JSON.
    assert set(answers) == set(OPERATIONS) - {"stream_events"}
    assert answers.pop("show_typing").status_code == 204
    assert answers.pop("take_twilio_report").status_code == 204
    assert answers.pop("take_twilio_message")["Content-Type"] == "text/xml"
    for name, answer in answers.items():
        described = OPERATIONS[name]["responses"][str(answer.status_code)]
        assert answer.status_code < 300, (name, answer.content)
        if answer["Content-Type"] == ZIP:
            assert described["content"][ZIP]["schema"] == {"type": "string", "format": "binary"}
            continue
        assert answer.json() != [], name
        check(answer.json(), described["content"][answer["Content-Type"]]["schema"])


def walk_assistant(me: APIClient, alice: User) -> dict[str, Any]:
    failed, running = ReplyFactory(asker=alice, state="failed"), ReplyFactory(asker=alice, text="So far")
    cancelled = me.delete(f"/assistant/replies/{running.pk}")
    question = {"content": "What can you do?"}
    asked, key = get_profile().user_id, {"HTTP_IDEMPOTENCY_KEY": "once"}
    waiting = me.post("/messages", {"recipient_id": asked, **question}, **key).json()["id"]
    Reply.objects.filter(question=waiting).update(text="Much.")
    me.delete(f"/assistant/replies/{Reply.objects.get(question=waiting).pk}")
    return {
        "get_assistant": me.get("/assistant"),
        "update_assistant": me.patch("/assistant", {"share_messages": True}),
        "ask_assistant": me.post("/messages/ai", question, **key),
        "ask_assistant_twilio": me.post("/messages/ai/twilio", question, **key),
        "get_history": me.get("/messages/history"),
        "list_replies": me.get("/assistant/replies"),
        "get_reply": me.get(f"/assistant/replies/{running.pk}"),
        "cancel_reply": cancelled,
        "retry_reply": me.post(f"/assistant/replies/{failed.pk}/retry"),
        "clear_history": me.delete("/messages/history/clear"),
        "ask_for_person": me.post("/assistant/handoff", {"reason": "It does not help."}),
        "take_back_assistant": me.delete("/assistant/handoff"),
    }


def walk_second_factor(client: APIClient, me: APIClient) -> dict[str, Any]:
    proof = {"current_password": PASSWORD}
    begun = me.post("/auth/second-factor/totp", proof)
    phone = Phone(begun.json()["secret"])
    # Each code is used once, so that the next one is of a later step.
    confirmed = me.post("/auth/second-factor/totp/confirm", {"code": phone.code(-1)})
    codes = confirmed.json()["recovery_codes"]
    token = client.post("/auth/login", {"username": "bob", "password": PASSWORD}).json()["login_token"]
    return {
        "begin_totp": begun,
        "confirm_totp": confirmed,
        "get_security": me.get("/auth/security"),
        "log_in_second_factor": client.post(
            "/auth/login/second-factor", {"login_token": token, "recovery_code": codes[0]}
        ),
        "renew_recovery_codes": me.post(
            "/auth/second-factor/recovery-codes", {**proof, "code": phone.code()}
        ),
        "remove_second_factor": me.post("/auth/second-factor/remove", {**proof, "code": phone.code(1)}),
    }


def mailed(client: APIClient, me: APIClient, other: User) -> dict[str, Any]:
    """What is done by mail."""
    asked = client.post("/auth/password/reset", {"email": other.email})
    (reset,) = [mail for mail in deliver() if "password" in mail.subject]
    again = client.post("/auth/email/resend", {"email": other.email})
    (verify,) = deliver()
    new_password = "amber-kettle-77"
    return {
        "ask_for_password_reset": asked,
        "ask_for_verification": again,
        "verify_address": client.post("/auth/email/verify", {"token": token_in(verify)}),
        "reset_password": client.post(
            "/auth/password/reset/confirm", {"token": token_in(reset), "new_password": new_password}
        ),
        "change_address": me.put("/auth/me/email", {"email": "a@new.example", "current_password": PASSWORD}),
    }


def walk_channels(me: APIClient, alice: User, bob: User) -> dict[str, Any]:
    link = "/auth/me/phone/link"
    begun = me.post(link, {"method": "sms", "phone_number": ANN_SMS})
    finished = me.put(link, {"code": code_of(LinkCode.objects.get())})
    twilio = Twilio("token-of-the-account-0123456789", Client())
    taken = twilio.post(sms("Hello"))
    answered = MessageFactory(sender=bob, recipient=alice)
    report = {"MessageSid": "SM1", "MessageStatus": "sent", "AccountSid": sms()["AccountSid"]}
    return {
        "begin_link": begun,
        "finish_link": finished,
        "take_twilio_message": taken,
        "take_twilio_report": twilio.post(report, path="/twilio_webhook/status"),
        "list_deliveries": me.get(f"/messages/{answered.pk}/delivery"),
        "get_phone": me.get("/auth/me/phone"),
        "set_phone": me.put("/auth/me/phone", {}),
        "remove_address": me.delete(f"/auth/me/phone/addresses/{AddressFactory(user=alice).pk}"),
    }


def walk(client: APIClient, as_user: ApiClient, alice: User, bob: User, carol: User) -> dict[str, Any]:
    """Every operation once, each with something to show."""
    me = as_user(alice)
    sent, received = MessageFactory(sender=alice, recipient=bob), MessageFactory(sender=bob, recipient=alice)
    report = ReportFactory(reporter=alice, message=received)
    BlockFactory(blocker=alice, blocked=carol)
    talk = f"/auth/conversations/{sent.conversation_id}"
    text = {"recipient_id": bob.pk, "content": "Shall we meet at noon?", "parent_id": sent.pk}
    complaint = {"title": "Insults", "content": "He goes on although I asked him to stop."}
    names = {"username": "dora", "email": "dora@example.org", "full_name": "Dora Dale"}
    proof = {"current_password": PASSWORD}
    tokens = client.post("/auth/login", {"username": "alice", "password": PASSWORD}).json()
    return {
        "get_root": client.get("/"),
        "check_health": client.get("/health"),
        "check_database": client.get("/db-test"),
        "get_openapi": client.get("/openapi.json"),
        "register_user": client.post("/auth/register", {**names, "password": PASSWORD}),
        "log_in": client.post("/auth/login", {"username": "bob", "password": PASSWORD}),
        **mailed(client, me, carol),
        "refresh_tokens": client.post("/auth/refresh", {"refresh_token": tokens["refresh_token"]}),
        "get_me": me.get("/auth/me"),
        "update_me": me.put("/auth/me", {"bio": "Bakes."}),
        "patch_me": me.patch("/auth/me", {"phone_number": "+49 30 123456"}),
        "make_token": me.post("/auth/tokens", {"name": "Backup", "scopes": ["messages:read"], **proof}),
        "list_tokens": me.get("/auth/tokens"),
        "revoke_token": me.delete(f"/auth/tokens/{PersonalTokenFactory(user=alice).pk}"),
        "get_config": client.get("/auth/config"),
        "get_preferences": me.get("/auth/preferences"),
        "update_preferences": me.put("/auth/preferences", {"notify_logins": False}),
        "patch_preferences": me.patch("/auth/preferences", {}),
        "list_sessions": me.get("/auth/sessions"),
        "search_directory": me.get("/auth/directory?search=bo"),
        "list_people": me.get(f"/auth/people?ids={bob.pk}"),
        "list_blocks": me.get("/auth/blocks"),
        "block_user": me.post("/auth/blocks", {"user_id": carol.pk}),
        "unblock_user": me.delete(f"/auth/blocks/{carol.pk}"),
        "list_conversations": me.get("/auth/conversations"),
        "list_conversation_messages": me.get(f"{talk}/messages"),
        "send_conversation_message": me.post(f"{talk}/messages", {"content": "At one, then."}),
        "mark_conversation_read": me.put(f"{talk}/read"),
        "show_typing": me.post(f"{talk}/typing"),
        "list_events": me.get("/events"),
        "make_stream_ticket": me.post("/events/ticket"),
        "list_messages": me.get("/messages"),
        "list_sent_messages": me.get("/messages/sent"),
        "list_received_messages": me.get("/messages/received"),
        "get_unread_count": me.get("/messages/unread/count"),
        "mark_all_messages_read": me.put("/messages/read-all"),
        "send_message": me.post("/messages", text),
        "get_message": me.get(f"/messages/{sent.pk}"),
        "update_message": me.put(f"/messages/{sent.pk}", {"content": "Shall we meet at one?"}),
        "patch_message": me.patch(f"/messages/{sent.pk}", {}),
        "mark_message_read": me.put(f"/messages/{received.pk}/read"),
        **walk_assistant(me, alice),
        **walk_channels(me, alice, bob),
        "list_reports": me.get("/reports"),
        "file_report": me.post("/reports", {**complaint, "message_id": received.pk}),
        "get_report": me.get(f"/reports/{report.pk}"),
        "update_report": me.put(f"/reports/{report.pk}", {"title": "Threats"}),
        "patch_report": me.patch(f"/reports/{report.pk}", {}),
        "delete_message": me.delete(f"/messages/{sent.pk}"),
        "end_session": me.delete(f"/auth/sessions/{as_user(alice).session_row.pk}"),
        "log_out": as_user(alice).post("/auth/logout"),
        **walk_second_factor(client, as_user(bob)),
        "change_password": me.put(
            "/auth/me/password", {"current_password": PASSWORD, "new_password": "amber-kettle-77"}
        ),
        "exchange_assertion": client.post("/auth/exchange", {"assertion": sign_assertion()}),
        "export_me": me.post("/auth/me/export", {"current_password": "amber-kettle-77"}),
        "log_out_everywhere": me.post("/auth/logout-all"),
        "delete_me": as_user(bob).post("/auth/me/delete", {"current_password": PASSWORD}),
        "cancel_deletion": client.post("/auth/deletion/cancel", {"username": "bob", "password": PASSWORD}),
    }  # fmt: skip
