"""Who may do what: every route, by every role, and what it answers; and the scope that a token needs."""

from typing import Any

import pytest
from pytest_django import Settings
from rest_framework.test import APIClient
from time_machine import TimeMachineFixture

from accounts.models import User
from accounts.services.leaving import request_deletion
from accounts.services.second_factor import begin_totp
from accounts.tests.factors import Phone, enrol, login_token
from conftest import ApiClient
from tests.assertions import ISSUER, ISSUER_KEY, sign_assertion
from tests.described import assert_described, unnamed
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
from tests.objects import DEAD, Cast, log_in, shut_out
from tests.routes import METHODS, api_routes, undone

# alice owns what a path names: she sent the message, filed the report, opened the session, and set
# the block. bob is the other one of the conversation. The rest has nothing to do with it.
ROLES = ["anonymous", "owner", "other", "stranger", "moderator", "superuser"]
#: Staff that has no role is a stranger like any other, and whose token is dead is nobody.
LIKE = {"clerk": "stranger", **dict.fromkeys(DEAD, "anonymous")}
TABLE = """
                                                  anon. owner other stranger moderator super  scope
GET    /                                           200   200   200    200       200     200   public
GET    /health                                     200   200   200    200       200     200   public
GET    /db-test                                    200   200   200    200       200     200   public
GET    /openapi.json                               200   200   200    200       200     200   public
GET    /chat                                       200   200   200    200       200     200   public
GET    /docs                                       200   200   200    200       200     200   public
GET    /redoc                                      200   200   200    200       200     200   public

POST   /auth/register                              201   201   201    201       201     201   public
POST   /auth/login                                 200   200   200    200       200     200   public
POST   /auth/login/second-factor                   200   200   200    200       200     200   public
POST   /auth/password/reset                        202   202   202    202       202     202   public
POST   /auth/password/reset/confirm                400   400   400    400       400     400   public
POST   /auth/email/resend                          202   202   202    202       202     202   public
POST   /auth/email/verify                          400   400   400    400       400     400   public
PUT    /auth/me/email                              401   202   202    202       202     202   session
POST   /auth/refresh                               200   200   200    200       200     200   public
POST   /auth/logout                                401   200   200    200       200     200   session
POST   /auth/logout-all                            401   200   200    200       200     200   session
GET    /auth/me                                    401   200   200    200       200     200   profile:read
PUT    /auth/me                                    401   200   200    200       200     200   profile:write
PATCH  /auth/me                                    401   200   200    200       200     200   profile:write
PUT    /auth/me/password                           401   200   200    200       200     200   session
GET    /auth/security                              401   200   200    200       200     200   session
POST   /auth/second-factor/totp                    401   200   200    200       200     200   session
POST   /auth/second-factor/totp/confirm            401   200   404    404       404     404   session
POST   /auth/second-factor/recovery-codes          401   404   404    404       404     404   session
POST   /auth/second-factor/remove                  401   404   404    404       404     404   session
POST   /auth/exchange                              200   200   200    200       200     200   public
POST   /auth/me/export                             401   200   200    200       200     200   session
POST   /auth/me/delete                             401   202   202    202       202     403   session
POST   /auth/deletion/cancel                       200   200   200    200       200     200   public
GET    /auth/sessions                              401   200   200    200       200     200   session
DELETE /auth/sessions/{session}                    401   200   404    404       404     404   session
GET    /auth/tokens                                401   200   200    200       200     200   session
POST   /auth/tokens                                401   201   201    201       201     201   session
DELETE /auth/tokens/{token}                        401   200   404    404       404     404   session
GET    /auth/config                                200   200   200    200       200     200   public
GET    /auth/preferences                           401   200   200    200       200     200   session
PUT    /auth/preferences                           401   200   200    200       200     200   session
PATCH  /auth/preferences                           401   200   200    200       200     200   session

GET    /auth/directory                             401   200   200    200       200     200   people:read
GET    /auth/people                                401   200   200    200       200     200   people:read
GET    /auth/blocks                                401   200   200    200       200     200   people:read
POST   /auth/blocks                                401   200   201    201       201     201   people:write
DELETE /auth/blocks/{blocked}                      401   200   404    404       404     404   people:write

GET    /auth/conversations                         401   200   200    200       200     200   messages:read
GET    /auth/conversations/{conversation}/messages 401   200   200    404       404     404   messages:read
POST   /auth/conversations/{conversation}/messages 401   201   201    404       404     404   messages:write
PUT    /auth/conversations/{conversation}/read     401   200   200    404       404     404   messages:write
POST   /auth/conversations/{conversation}/typing   401   204   204    404       404     404   messages:write

GET    /events                                     401   200   200    200       200     200   messages:read
GET    /events/stream                              401   200   200    200       200     200   messages:read
POST   /events/ticket                              401   201   201    201       201     201   session

GET    /messages                                   401   200   200    200       200     200   messages:read
GET    /messages/sent                              401   200   200    200       200     200   messages:read
GET    /messages/received                          401   200   200    200       200     200   messages:read
GET    /messages/unread/count                      401   200   200    200       200     200   messages:read
PUT    /messages/read-all                          401   200   200    200       200     200   messages:write
POST   /messages                                   401   201   400    201       201     201   messages:write
GET    /messages/{message}                         401   200   200    404       404     404   messages:read
PUT    /messages/{message}                         401   200   403    404       404     404   messages:write
PATCH  /messages/{message}                         401   200   403    404       404     404   messages:write
DELETE /messages/{message}                         401   200   200    404       404     404   messages:write
PUT    /messages/{message}/read                    401   403   200    404       404     404   messages:write

GET    /messages/{message}/delivery                401   200   200    404       404     404   messages:read

GET    /auth/me/phone                              401   200   200    200       200     200   profile:read
PUT    /auth/me/phone                              401   200   200    200       200     200   profile:write
POST   /auth/me/phone/link                         401   201   201    201       201     201   session
PUT    /auth/me/phone/link                         401   400   400    400       400     400   session
DELETE /auth/me/phone/addresses/{address}          401   200   404    404       404     404   session
POST   /twilio_webhook                             415   415   415    415       415     415   public
POST   /twilio_webhook/status                      415   415   415    415       415     415   public
GET    /messages/history                           401   200   200    200       200     200   messages:read
DELETE /messages/history/clear                     401   200   200    200       200     200   messages:write
POST   /messages/ai                                401   503   503    503       503     503   messages:write
POST   /messages/ai/twilio                         401   503   503    503       503     503   messages:write
GET    /assistant                                  401   200   200    200       200     200   messages:read
PATCH  /assistant                                  401   200   200    200       200     200   messages:write
POST   /assistant/handoff                          401   201   201    201       201     201   messages:write
DELETE /assistant/handoff                          401   200   200    200       200     200   messages:write
GET    /assistant/replies                          401   200   200    200       200     200   messages:read
GET    /assistant/replies/{reply}                  401   200   404    404       404     404   messages:read
DELETE /assistant/replies/{reply}                  401   200   404    404       404     404   messages:write
POST   /assistant/replies/{reply}/retry            401   202   404    404       404     404   messages:write

GET    /reports                                    401   200   200    200       200     200   reports:read
POST   /reports                                    401   201   201    400       400     400   reports:write
GET    /reports/{report}                           401   200   404    404       404     200   reports:read
PUT    /reports/{report}                           401   200   404    404       404     403   reports:write
PATCH  /reports/{report}                           401   200   404    404       404     403   reports:write
"""
_LINES = [line.split() for line in TABLE.splitlines()[2:] if line]
ROWS = {
    (method, path): dict(zip(ROLES, map(int, statuses), strict=True)) for method, path, *statuses, _ in _LINES
}
#: What a personal token needs; tests/test_scopes.py tries it.
SCOPES = {(method, path): scope for method, path, *_, scope in _LINES}
PATHS = sorted({path for _, path in ROWS})
FOREIGN = sorted(route for route, row in ROWS.items() if "{" in route[1] and row["stranger"] == 404)
#: A POST to a conversation that does not exist starts it, unless its id is that of another pair.
MISSING = dict.fromkeys(["session", "token", "blocked", "message", "report", "address", "reply"], 2**40) | {
    "conversation": f"conv_{2**40}_{2**41}"
}


pytestmark = pytest.mark.usefixtures("channels_on")


@pytest.fixture
def cast(alice: User, bob: User, carol: User, moderator: User, superuser: User, clerk: User) -> Cast:
    return Cast(alice, bob, carol, moderator, superuser, clerk)


@pytest.fixture
def clients(cast: Cast, as_user: ApiClient, time_machine: TimeMachineFixture) -> dict[str, APIClient]:
    found = log_in(cast, as_user, time_machine)
    shut_out(cast)
    named = ["anonymous", "alice", "bob", "carol", "moderator", "superuser"]
    return {**found, **{role: found[name] for role, name in zip(ROLES, named, strict=True)}}


@pytest.fixture
def ids(alice: User, bob: User, mallory: User, as_user: ApiClient, assistant_on: None) -> dict[str, Any]:
    """What stands for the names in a path."""
    message = MessageFactory(sender=alice, recipient=bob)
    BlockFactory(blocker=alice, blocked=mallory)
    return {
        "session": as_user(alice).session_row.pk,
        "token": PersonalTokenFactory(user=alice).pk,
        "blocked": mallory.pk,
        "conversation": message.conversation_id,
        "message": message.pk,
        "reply": ReplyFactory(asker=alice, state="failed").pk,
        "report": ReportFactory(reporter=alice, message=message).pk,
        "address": AddressFactory(user=alice).pk,
    }


@pytest.fixture
def bodies(
    ids: dict[str, Any],
    alice: User,
    bob: User,
    mallory: User,
    as_user: ApiClient,
    client: APIClient,
    settings: Settings,
) -> dict[tuple[str, str], dict[str, Any]]:
    """What is sent where `{}` would not do."""
    proof = {"current_password": PASSWORD}
    phone, _ = enrol(mallory)
    half_way = {"login_token": login_token(client, "mallory"), "code": phone.code()}
    settings.ISSUER, settings.ISSUER_KEY = ISSUER, ISSUER_KEY
    leaver = UserFactory()
    request_deletion(leaver, erases=False)
    return {
        ("POST", "/auth/login/second-factor"): half_way,
        ("POST", "/auth/second-factor/totp"): proof,
        ("POST", "/auth/second-factor/totp/confirm"): {"code": Phone(begin_totp(alice).secret).code()},
        ("POST", "/auth/second-factor/recovery-codes"): proof,
        ("POST", "/auth/second-factor/remove"): proof,
        ("POST", "/auth/register"): {"username": "dora", "email": "dora@example.org", "password": PASSWORD},
        ("POST", "/auth/login"): {"username": "bob", "password": PASSWORD},
        ("POST", "/auth/refresh"): {"refresh_token": as_user(bob).tokens.refresh_token},
        ("PUT", "/auth/me/password"): {"current_password": PASSWORD, "new_password": "amber-kettle-77"},
        ("POST", "/auth/tokens"): {
            "name": "Backup",
            "scopes": ["messages:read"],
            "current_password": PASSWORD,
        },
        ("POST", "/auth/exchange"): {"assertion": sign_assertion()},
        ("POST", "/auth/me/export"): {"current_password": PASSWORD},
        ("POST", "/auth/me/delete"): {"current_password": PASSWORD},
        ("POST", "/auth/deletion/cancel"): {"username": leaver.username, "password": PASSWORD},
        ("POST", "/auth/password/reset"): {"email": "bob@example.org"},
        ("POST", "/auth/password/reset/confirm"): {"token": "nonsense", "new_password": "amber-kettle-77"},
        ("POST", "/auth/email/resend"): {"email": "bob@example.org"},
        ("POST", "/auth/email/verify"): {"token": "nonsense"},
        ("PUT", "/auth/me/email"): {"email": "new@example.org", "current_password": PASSWORD},
        ("POST", "/auth/blocks"): {"user_id": mallory.pk},
        ("POST", "/auth/me/phone/link"): {"method": "text"},
        ("PUT", "/auth/me/phone/link"): {"code": "123456"},
        ("POST", "/messages"): {"recipient_id": bob.pk, "content": "Noon?"},
        ("POST", "/auth/conversations/{conversation}/messages"): {"content": "Noon?"},
        ("POST", "/messages/ai"): {"content": "Noon?"},
        ("POST", "/messages/ai/twilio"): {"content": "Noon?"},
        ("POST", "/reports"): {"title": "Insults", "content": "Look.", "message_id": ids["message"]},
    }


def test_the_table_has_every_route_and_no_other() -> None:
    routed = {(method, unnamed(path)) for method, path in api_routes()}

    assert {(method, unnamed(path)) for method, path in ROWS} == routed


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize(("method", "path"), ROWS)
def test_it_answers_each_role_as_the_table_says(
    clients: dict[str, APIClient],
    ids: dict[str, Any],
    bodies: dict[tuple[str, str], dict[str, Any]],
    method: str,
    path: str,
    slash: str,
) -> None:
    url = path.format(**ids).removesuffix("/") + (slash or "/" * (path == "/"))
    url += {"/auth/directory": "?search=al", "/auth/people": "?ids=1"}.get(path, "")
    body = None if method in {"GET", "DELETE"} else bodies.get((method, path), {})
    statuses = {}
    for role in [*ROLES, *LIKE]:
        with undone():
            answer = getattr(clients[role], method.lower())(url, body)
        statuses[role] = answer.status_code
        assert_described(method, path, answer)

    row = ROWS[method, path]
    assert statuses == {**row, **{role: row[other] for role, other in LIKE.items()}}


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize(("method", "path"), FOREIGN)
def test_what_belongs_to_others_answers_as_if_it_were_missing(
    clients: dict[str, APIClient],
    ids: dict[str, Any],
    bodies: dict[tuple[str, str], dict[str, Any]],
    method: str,
    path: str,
    slash: str,
) -> None:
    call, body = getattr(clients["stranger"], method.lower()), bodies.get((method, path), {})

    there, missing = (call(path.format(**names) + slash, body) for names in (ids, MISSING))

    assert there.status_code == missing.status_code == 404
    assert there.content == missing.content
    assert kept(there) == kept(missing)


def kept(answer: Any) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name != "X-Request-ID"}


@pytest.mark.parametrize("path", PATHS)
def test_it_refuses_every_method_that_a_route_does_not_offer(
    clients: dict[str, APIClient], ids: dict[str, Any], path: str
) -> None:
    offered = {method for method, known in ROWS if known == path}
    public = any(ROWS[method, path]["anonymous"] != 401 for method in offered)
    others = [*METHODS, "OPTIONS", "TRACE"]

    for method in (method for method in others if method not in offered):
        for url in {path.format(**ids), path.format(**ids).rstrip("/") + "/"}:
            for role in ["owner", "anonymous"]:
                answer = clients[role].generic(method, url, "{}", content_type="application/json")
                refused = 405 if public or role == "owner" else 401

                assert answer.status_code == answer.json()["status"] == refused, (method, url, role)
                assert answer["Content-Type"] == "application/problem+json"
                if refused == 405:
                    assert {*answer["Allow"].split(", ")} - {"HEAD"} == offered
