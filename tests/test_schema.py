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
from accounts.views.leaving import ZIP
from aimessage.api.links import LINKS
from assistant.views import questions
from channels.tests.webhook import PUBLIC, Twilio, sms
from conftest import ApiClient
from tests.api_catalogue import CATALOGUE, Given, Operation, make_given, prepare
from tests.described import OPERATIONS, SPEC, check, resolve
from tests.routes import api_routes, undone

pytestmark = pytest.mark.once

#: Pages of HTML, which are for people.
PAGES = {("GET", "/chat"), ("GET", "/docs"), ("GET", "/redoc")}
#: Operations at which somebody can guess secrets without a login.
GUESSED_AT = {"log_in", "log_in_second_factor", "refresh_tokens", "exchange_assertion", "cancel_deletion"}


def media(operation: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The bodies of an operation's request and answers, each with `request` or the status."""
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


#: tests/test_event_streams.py reads the one that is a stream.
WALKED = [
    operation for name, operation in CATALOGUE.items() if name in OPERATIONS and name != "stream_events"
]


@pytest.mark.usefixtures("channels_on", "assistant_on", "issuer_on")
def test_the_answers_of_every_operation_have_exactly_its_keys(
    as_user: ApiClient, alice: User, bob: User, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    # No worker answers here.
    monkeypatch.setattr(questions, "wait_for_answer", lambda question: question)
    settings.PUBLIC_URLS, settings.TWILIO = [PUBLIC], replace(settings.TWILIO, inbox="bob")
    made = make_given(alice, bob)
    assert len(WALKED) == len(OPERATIONS) - 1
    for operation in WALKED:
        with undone():
            given = replace(made)
            prepare(operation, given)
            check_answer(operation, good_answer(operation, given, as_user(alice)))


def good_answer(operation: Operation, given: Given, client: APIClient) -> Any:
    twilio = Twilio("token-of-the-account-0123456789", Client())
    if operation.name == "take_twilio_message":
        return twilio.post(sms("Hello"))
    if operation.name == "take_twilio_report":
        report = {"MessageSid": "SM1", "MessageStatus": "sent", "AccountSid": sms()["AccountSid"]}
        return twilio.post(report, path=operation.path)
    return getattr(client, operation.method.lower())(given.url(operation), given.body(operation))


def check_answer(operation: Operation, answer: Any) -> None:
    """Holds the answer to the schema, with something in every list."""
    assert answer.status_code < 300, (operation.name, answer.content)
    content = OPERATIONS[operation.name]["responses"][str(answer.status_code)].get("content")
    if content is None:
        assert (answer.status_code, answer.content) == (204, b""), operation.name
        return
    schema = content[answer["Content-Type"]]["schema"]
    if answer["Content-Type"] == ZIP:
        assert schema == {"type": "string", "format": "binary"}
    elif answer["Content-Type"] != "text/xml":
        assert answer.json() != [], operation.name
        check(answer.json(), schema)
