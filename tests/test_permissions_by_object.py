"""Who may do what with each object, in every state: deleted, resolved, or of an account that is gone.

An object of other people's gets the same answer, to the byte, as one that does not exist.
"""

from typing import Any

import pytest
from django.apps import apps
from rest_framework.test import APIClient
from time_machine import TimeMachineFixture

from accounts.models import User
from conftest import ApiClient
from tests.api_catalogue import BY_RELATION, NAMING_AN_OBJECT, Operation
from tests.described import assert_described
from tests.factories import MessageFactory
from tests.objects import DEAD, LIVE, NO_IDS, NOBODY, OBJECTS, UNKNOWN, Cast, log_in, make_objects
from tests.routes import METHODS, undone

OPERATIONS = NAMING_AN_OBJECT
PATHS = sorted({operation.path for operation in OPERATIONS})
#: Every field that one of these operations takes; the others ignore it.
GOOD = {"title": "Insults", "content": "Noon?"}
#: Bodies as they come over the wire, with their content type.
BODIES = [
    *((text, "application/json") for text in ["{}", '{"content": 7}', '{"content": "", "title": ""}']),
    *(
        (text, "application/json")
        for text in ['{"content": "x", "recipient_id": 1, "parent_id": 1}', "{", "[]"]
    ),
    ('{"content": "a\\u0000b"}', "application/json"),
    ("content=x", "application/x-www-form-urlencoded"),
]

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("channels_on", "assistant_on")]


def cells() -> list[tuple[str, str, str]]:
    """Every operation, object and role."""
    return [
        (operation.name, name, role)
        for operation in OPERATIONS
        for name in [*OBJECTS[operation.kind], *NO_IDS[operation.kind]]
        for role in [*LIVE, *DEAD]
    ]


def expected(operation: Operation, name: str, role: str) -> int:
    if role in DEAD:
        return 401
    relation = OBJECTS[operation.kind].get(name, NOBODY).get(role, "none")
    return BY_RELATION[operation.name].get(relation, 404)


def test_the_matrix_has_so_many_cells() -> None:
    assert len(cells()) == len(set(cells())) >= 3700


@pytest.fixture
def cast(alice: User, bob: User, carol: User, moderator: User, superuser: User, clerk: User) -> Cast:
    return Cast(alice, bob, carol, moderator, superuser, clerk)


@pytest.fixture
def clients(cast: Cast, as_user: ApiClient, time_machine: TimeMachineFixture) -> dict[str, APIClient]:
    return log_in(cast, as_user, time_machine)


@pytest.fixture
def ids(cast: Cast, clients: dict[str, APIClient]) -> dict[str, dict[str, Any]]:
    return make_objects(cast, clients)


@pytest.mark.parametrize("operation", OPERATIONS, ids=str)
def test_it_answers_each_role_for_each_object(
    clients: dict[str, APIClient], ids: dict[str, dict[str, Any]], operation: Operation
) -> None:
    kind, body = operation.kind, GOOD if operation.sends else None
    wrong = []
    names = [*OBJECTS[kind], *NO_IDS[kind]]
    # tests/test_permissions.py asks each operation with a slash, too.
    for name in names:
        url = operation.url({kind: ids[kind][name]})
        for role in [*LIVE, *DEAD]:
            with undone():
                answer = getattr(clients[role], operation.method.lower())(url, body)
            assert_described(operation.method, operation.path, answer)
            if answer.status_code != expected(operation, name, role):
                wrong.append((url, role, answer.status_code, expected(operation, name, role)))

    assert wrong == []


@pytest.mark.parametrize("path", PATHS)
def test_what_is_not_ones_own_answers_to_the_byte_as_what_is_missing(
    clients: dict[str, APIClient], ids: dict[str, dict[str, Any]], path: str
) -> None:
    operations = [operation for operation in OPERATIONS if operation.path == path]
    kind = operations[0].kind
    calls = [(method, "", *BODIES[0]) for method in [*METHODS, "HEAD", "OPTIONS", "TRACE"]]
    sending = [operation.method for operation in operations if operation.sends]
    calls += [(method, "", *body) for method in sending for body in BODIES]
    calls += [(method, "/", *BODIES[0]) for method in sending]
    before, compared = rows(), 0

    for role in LIVE:
        foreign = {name: ids[kind][name] for name, who in OBJECTS[kind].items() if role not in who}
        missing = foreign.pop(UNKNOWN)
        for method, slash, body, media in calls:
            if method == "POST" and kind == "conversation":
                # An id that no pair has would begin a conversation: that it is taken is no secret.
                foreign = {name: pk for name, pk in foreign.items() if str(pk).startswith("conv_")}
            call = clients[role].generic
            plain = call(method, path.format(**{kind: missing}) + slash, body, content_type=media)
            for name, pk in foreign.items():
                answer = call(method, path.format(**{kind: pk}) + slash, body, content_type=media)
                assert answer.status_code == plain.status_code >= 400, (role, name, method, body)
                assert answer.content == plain.content, (role, name, method, body)
                assert kept(answer) == kept(plain), (role, name, method, body)
                compared += 1

    assert compared >= 100
    assert rows() == before


def kept(answer: Any) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name != "X-Request-ID"}


def rows() -> dict[str, list[Any]]:
    return {
        model.__name__: list(model._default_manager.order_by("pk").values_list())
        for name in ("accounts", "messaging", "reports", "assistant")
        for model in apps.get_app_config(name).get_models()
        if not model._meta.proxy
    }


@pytest.mark.parametrize(
    ("path", "field", "kind", "body"),
    [
        ("/messages", "parent_id", "message", {"content": "Noon?"}),
        ("/auth/conversations/{pair}/messages", "parent_id", "message", {"content": "Noon?"}),
        ("/reports", "message_id", "message", {"title": "Insults", "content": "Look."}),
        ("/messages", "conversation_id", "conversation", {"content": "Noon?"}),
    ],
)
def test_what_a_body_names_that_is_not_ones_own_is_as_good_as_missing(
    clients: dict[str, APIClient],
    ids: dict[str, dict[str, Any]],
    bob: User,
    carol: User,
    path: str,
    field: str,
    kind: str,
    body: dict[str, Any],
) -> None:
    pair = MessageFactory(sender=carol, recipient=bob).conversation_id
    body = {**body, "recipient_id": bob.pk}
    foreign = {name: ids[kind][name] for name, who in OBJECTS[kind].items() if "carol" not in who}
    if kind == "conversation":
        foreign = {name: pk for name, pk in foreign.items() if pk.startswith("conv_")}
    missing, before = foreign.pop(UNKNOWN), rows()

    plain = clients["carol"].post(path.format(pair=pair), {**body, field: missing})
    for name, pk in foreign.items():
        answer = clients["carol"].post(path.format(pair=pair), {**body, field: pk})
        assert answer.status_code == plain.status_code >= 400, name
        assert answer.content == plain.content, name
        assert kept(answer) == kept(plain), name

    assert len(foreign) >= 5
    assert rows() == before
