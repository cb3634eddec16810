"""Which operations each scope of a personal token opens."""

from typing import Any

import pytest
from rest_framework.test import APIClient

from accounts.models import User
from accounts.personal_tokens import new_token
from aimessage.api.scopes import Scope
from aimessage.tests.asserts import assert_problem
from conftest import ApiClient
from tests.api_catalogue import CATALOGUE, PUBLIC, SESSION
from tests.described import OPERATIONS
from tests.factories import PASSWORD
from tests.routes import METHODS, undone

pytestmark = [
    *(pytest.mark.django_db, pytest.mark.once),
    pytest.mark.usefixtures("channels_on", "assistant_on"),
]

#: tests/test_api_catalogue.py names an operation that the catalogue lacks.
SCOPES = {name: CATALOGUE[name].scope for name in OPERATIONS if name in CATALOGUE}
GRANTS = [(), *((scope.value,) for scope in Scope), tuple(scope.value for scope in Scope)]


def ask(client: APIClient, operation: dict[str, Any]) -> Any:
    """Sends an empty request: scopes are checked before bodies are. No conversation is called `x`."""
    path = operation["path"].format(id=1, user_id=1, conversation_id="x")
    with undone():
        return getattr(client, operation["method"].lower())(path, {})


def test_the_catalogue_knows_no_other_scopes() -> None:
    assert {operation.scope for operation in CATALOGUE.values()} == {PUBLIC, SESSION, *Scope}


@pytest.mark.parametrize("name", [name for name, needed in SCOPES.items() if needed != PUBLIC])
def test_a_token_is_good_for_what_its_scopes_name_and_for_nothing_else(
    as_program: ApiClient, alice: User, name: str
) -> None:
    needed = SCOPES[name]
    for granted in GRANTS:
        answer = ask(as_program(alice, *granted), OPERATIONS[name])
        if needed == SESSION:
            assert_problem(answer, 403, "Log in for that", code="session_required")
        elif needed not in granted:
            assert_problem(answer, 403, "This token does not allow that", code="scope_missing")
        else:
            assert answer.status_code not in {401, 403}, answer.content


@pytest.mark.parametrize("name", [name for name, needed in SCOPES.items() if needed == PUBLIC])
def test_a_token_is_not_looked_at_where_none_is_needed(client: APIClient, db: None, name: str) -> None:
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {new_token()}")

    # 404: what the settings leave out. 415: what takes forms.
    assert ask(client, OPERATIONS[name]).status_code in {200, 400, 404, 415}


@pytest.mark.parametrize("name", SCOPES)
def test_the_description_names_the_scope(name: str) -> None:
    operation, needed = OPERATIONS[name], SCOPES[name]
    scope = None if needed in {PUBLIC, SESSION} else needed

    forgotten = f"Its view's `scopes` or TABLE in tests/api_catalogue.py is wrong about {name}"
    assert operation.get("x-scope") == scope, forgotten
    assert (f"or a personal token with `{scope}`" in operation["description"]) == (scope is not None)
    assert bool(operation["security"]) == (needed != PUBLIC)


@pytest.mark.parametrize("name", [name for name, needed in SCOPES.items() if needed != PUBLIC])
def test_a_session_needs_no_scope(as_user: ApiClient, alice: User, name: str) -> None:
    assert ask(as_user(alice), OPERATIONS[name]).status_code not in {401, 403}


@pytest.mark.parametrize("path", sorted({one["path"] for one in OPERATIONS.values()}))
def test_a_method_that_a_path_does_not_have_is_405_for_a_token_too(
    as_program: ApiClient, alice: User, path: str
) -> None:
    client = as_program(alice, *(scope.value for scope in Scope))
    offered = {one["method"] for one in OPERATIONS.values() if one["path"] == path}

    for method in (method for method in [*METHODS, "OPTIONS", "TRACE"] if method not in offered):
        url = path.format(id=1, user_id=1, conversation_id="x")
        assert client.generic(method, url).status_code == 405, method


def test_head_takes_what_get_takes(as_program: ApiClient, alice: User) -> None:
    assert as_program(alice, "profile:read").head("/auth/me").status_code == 200
    assert as_program(alice, "profile:write").head("/auth/me").status_code == 403
    assert as_program(alice, "messages:read").head("/auth/tokens").status_code == 403


def test_the_admin_knows_no_tokens(as_program: ApiClient, superuser: User) -> None:
    program = as_program(superuser, *(scope.value for scope in Scope))

    assert program.get("/admin/accounts/user/").status_code == 302


def test_a_token_reaches_no_more_than_its_user(as_program: ApiClient, alice: User, bob: User) -> None:
    every = [scope.value for scope in Scope]
    sent = as_program(alice, *every).post("/messages", {"recipient_id": bob.pk, "content": "Noon?"}).json()

    assert as_program(bob, *every).get(f"/messages/{sent['id']}").status_code == 200
    assert as_program(bob, *every).put(f"/messages/{sent['id']}", {"content": "One?"}).status_code == 403
    carol = User.objects.create_user("carol", "carol@example.org", PASSWORD)
    assert as_program(carol, *every).get(f"/messages/{sent['id']}").status_code == 404


@pytest.mark.django_db(transaction=True)
def test_a_token_gets_the_events_that_its_scopes_cover(
    as_user: ApiClient, as_program: ApiClient, alice: User, bob: User
) -> None:
    me = as_user(alice)
    cursor = me.get("/events").json()["cursor"]
    me.post("/messages", {"recipient_id": bob.pk, "content": "Noon?"})
    me.post("/auth/blocks", {"user_id": bob.pk})
    report = me.post("/reports", {"title": "Rude", "content": "So rude."}).json()
    me.put(f"/reports/{report['id']}", {"title": "Very rude"})

    def kinds(client: APIClient) -> set[str]:
        return {event["type"] for event in client.get("/events", {"after": cursor}).json()["events"]}

    every = kinds(me)
    assert every >= {"message.created", "block.created"}
    assert kinds(as_program(alice, "messages:read")) == {"message.created"}
    assert kinds(as_program(alice, "messages:read", "people:read")) == {"message.created", "block.created"}
    assert kinds(as_program(alice, "messages:read", "people:read", "reports:read")) == every
    assert as_program(alice, "people:read", "reports:read").get("/events").status_code == 403
