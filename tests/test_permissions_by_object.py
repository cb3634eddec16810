"""Who may do what with which object, down to those that are gone, closed, or left by those who are.

What somebody has no part in answers, to the byte, as what was never there.
"""

from typing import Any

import pytest
from django.apps import apps
from rest_framework.test import APIClient
from time_machine import TimeMachineFixture

from accounts.models import User
from conftest import ApiClient
from tests.described import assert_described, unnamed
from tests.factories import MessageFactory
from tests.objects import DEAD, LIVE, NO_IDS, NOBODY, OBJECTS, UNKNOWN, Cast, log_in, make_objects
from tests.routes import METHODS, api_routes, undone

# What each of these gets; everybody else gets 404, and who is nobody at all 401.
STATUSES = {
    ("GET", "/messages/{message}"): {"sender": 200, "sender, apart": 200, "recipient": 200},
    ("PUT", "/messages/{message}"): {"sender": 200, "sender, apart": 403, "recipient": 403},
    ("PATCH", "/messages/{message}"): {"sender": 200, "sender, apart": 403, "recipient": 403},
    ("DELETE", "/messages/{message}"): {"sender": 200, "sender, apart": 200, "recipient": 200},
    ("PUT", "/messages/{message}/read"): {"sender": 403, "sender, apart": 403, "recipient": 200},
    ("DELETE", "/auth/sessions/{session}"): {"user": 200},
    ("DELETE", "/auth/tokens/{token}"): {"user": 200},
    ("DELETE", "/auth/blocks/{blocked}"): {"blocker": 200},
    ("GET", "/auth/conversations/{conversation}/messages"): {"member": 200, "left alone": 200, "apart": 200},
    ("POST", "/auth/conversations/{conversation}/messages"): {"member": 201, "apart": 403, "free": 400},
    ("PUT", "/auth/conversations/{conversation}/read"): {"member": 200, "left alone": 200, "apart": 200},
    ("POST", "/auth/conversations/{conversation}/typing"): {"member": 204, "left alone": 204, "apart": 403},
    ("GET", "/messages/{message}/delivery"): {"sender": 200, "sender, apart": 200, "recipient": 200},
    ("DELETE", "/auth/me/phone/addresses/{address}"): {"user": 200},
    ("GET", "/assistant/replies/{reply}"): {"asker": 200, "asker, failed": 200},
    ("DELETE", "/assistant/replies/{reply}"): {"asker": 200, "asker, failed": 200},
    ("POST", "/assistant/replies/{reply}/retry"): {"asker": 409, "asker, failed": 202},
    ("GET", "/reports/{report}"): {"reporter": 200, "waiting": 200, "overseer": 200},
    ("PUT", "/reports/{report}"): {"reporter": 200, "waiting": 400, "overseer": 403},
    ("PATCH", "/reports/{report}"): {"reporter": 200, "waiting": 400, "overseer": 403},
}
ROUTES = list(STATUSES)
GOOD = {
    "message": {"content": "Noon?"},
    "conversation": {"content": "Noon?"},
    "report": {"title": "Insults", "content": "Look."},
}
#: As they come over the wire, with what they are said to be.
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


def kind_of(path: str) -> str:
    return path.partition("{")[2].partition("}")[0]


def cells() -> list[tuple[str, str, str, str]]:
    """Every method, path, object and role."""
    return [
        (method, path, name, role)
        for method, path in ROUTES
        for name in [*OBJECTS[kind_of(path)], *NO_IDS[kind_of(path)]]
        for role in [*LIVE, *DEAD]
    ]


def expected(method: str, path: str, name: str, role: str) -> int:
    if role in DEAD:
        return 401
    relation = OBJECTS[kind_of(path)].get(name, NOBODY).get(role, "none")
    return STATUSES[method, path].get(relation, 404)


def test_the_table_has_every_route_that_names_an_object() -> None:
    routed = {(method, unnamed(path)) for method, path in api_routes() if "<" in path}

    assert {(method, unnamed(path)) for method, path in STATUSES} == routed


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


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_it_answers_each_role_for_each_object(
    clients: dict[str, APIClient], ids: dict[str, dict[str, Any]], method: str, path: str, slash: str
) -> None:
    kind = kind_of(path)
    body = None if method in {"GET", "DELETE"} else GOOD.get(kind, {})
    wrong = []
    for name in [*OBJECTS[kind], *NO_IDS[kind]]:
        url = path.format(**{kind: ids[kind][name]}) + slash
        for role in [*LIVE, *DEAD]:
            with undone():
                answer = getattr(clients[role], method.lower())(url, body)
            assert_described(method, path, answer)
            if answer.status_code != expected(method, path, name, role):
                wrong.append((name, role, answer.status_code, expected(method, path, name, role)))

    assert wrong == []


@pytest.mark.parametrize("path", sorted({path for _, path in ROUTES}))
def test_what_is_not_ones_own_answers_to_the_byte_as_what_is_missing(
    clients: dict[str, APIClient], ids: dict[str, dict[str, Any]], path: str
) -> None:
    kind = kind_of(path)
    calls = [(method, "", *BODIES[0]) for method in [*METHODS, "HEAD", "OPTIONS", "TRACE"]]
    calls += [
        (method, slash, *body)
        for method, other in ROUTES
        if other == path and method not in {"GET", "DELETE"}
        for slash in ("", "/")
        for body in BODIES
    ]
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
