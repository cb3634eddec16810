"""Every operation of the API, entered once; the tests that try all operations draw from here.

A new endpoint takes a line of TABLE. It takes an entry of BY_RELATION if its path names an object, one of
`good_bodies` if it takes a body, and one of `prepare` if it makes sense in some state only.
tests/test_api_catalogue.py names what is missing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.utils import timezone
from rest_framework.test import APIClient

from accounts.models import MailSecret, User
from accounts.services.leaving import request_deletion
from accounts.services.second_factor import begin_totp
from accounts.services.sessions import open_session
from accounts.tests.factors import Phone, enrol, login_token
from accounts.tests.mailbox import undo_token
from accounts.tokens import digest
from channels.codes import code_of
from channels.models import Address, Delivery, LinkCode, Sender, Thread
from channels.services.linking import send_sms_code
from tests.assertions import sign_assertion
from tests.described import BY_ROUTE, unnamed
from tests.factories import (
    PASSWORD,
    AddressFactory,
    BlockFactory,
    MessageFactory,
    PersonalTokenFactory,
    ReplyFactory,
    ReportFactory,
    SessionFactory,
    UserFactory,
)

NEW_PASSWORD = "amber-kettle-77"
#: What a personal token has to do with a route that takes none, or needs a login.
PUBLIC, SESSION = "public", "session"
#: alice owns what a path names: she sent the message, filed the report, opened the session and set the block.
#: bob is the other participant of the conversation. The others have nothing to do with it.
ROLES = ["anonymous", "owner", "other", "stranger", "moderator", "superuser"]
#: The status of each role's answer to a good request, and the scope that a personal token needs.
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
POST   /auth/password/reset/confirm                200   200   200    200       200     200   public
POST   /auth/email/resend                          202   202   202    202       202     202   public
POST   /auth/email/verify                          200   200   200    200       200     200   public
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
POST   /auth/second-factor/recovery-codes          401   200   404    404       404     404   session
POST   /auth/second-factor/remove                  401   200   404    404       404     404   session
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
POST   /auth/blocks                                401   201   201    201       201     201   people:write
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
PUT    /messages/{message}/read                    401   200   403    404       404     404   messages:write

GET    /messages/{message}/delivery                401   200   200    404       404     404   messages:read

GET    /auth/me/phone                              401   200   200    200       200     200   profile:read
PUT    /auth/me/phone                              401   200   200    200       200     200   profile:write
POST   /auth/me/phone/link                         401   201   201    201       201     201   session
PUT    /auth/me/phone/link                         401   200   400    400       400     400   session
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
#: By operation, the status for each relation to the object in its path (tests/objects.py). Others who are
#: logged in get 404.
BY_RELATION: dict[str, dict[str, int]] = {
    "get_message": {"sender": 200, "sender, apart": 200, "recipient": 200},
    "update_message": {"sender": 200, "sender, apart": 403, "recipient": 403},
    "patch_message": {"sender": 200, "sender, apart": 403, "recipient": 403},
    "delete_message": {"sender": 200, "sender, apart": 200, "recipient": 200},
    "mark_message_read": {"sender": 403, "sender, apart": 403, "recipient": 200},
    "list_deliveries": {"sender": 200, "sender, apart": 200, "recipient": 200},
    "end_session": {"user": 200},
    "revoke_token": {"user": 200},
    "unblock_user": {"blocker": 200},
    "remove_address": {"user": 200},
    "list_conversation_messages": {"member": 200, "left alone": 200, "apart": 200},
    "send_conversation_message": {"member": 201, "apart": 403, "free": 400},
    "mark_conversation_read": {"member": 200, "left alone": 200, "apart": 200},
    "show_typing": {"member": 204, "left alone": 204, "apart": 403},
    "get_reply": {"asker": 200, "asker, failed": 200},
    "cancel_reply": {"asker": 200, "asker, failed": 200},
    "retry_reply": {"asker": 409, "asker, failed": 202},
    "get_report": {"reporter": 200, "waiting": 200, "overseer": 200},
    "update_report": {"reporter": 200, "waiting": 400, "overseer": 403},
    "patch_report": {"reporter": 200, "waiting": 400, "overseer": 403},
}
#: Queries without which an operation answers 400.
QUERIES = {"search_directory": "?search=bo", "list_people": "?ids={person}"}
#: By kind of object, an id that nothing has.
MISSING = dict.fromkeys(["session", "token", "blocked", "message", "report", "address", "reply"], 2**40) | {
    "conversation": f"conv_{2**40}_{2**41}"
}


@dataclass(frozen=True)
class Operation:
    """`name` is the description's operationId; a page, which it does not have, is called as its path."""

    name: str
    method: str
    #: With a kind of object in braces.
    path: str
    #: By role.
    statuses: dict[str, int]
    scope: str

    @property
    def kind(self) -> str:
        """The kind of object in its path, or an empty string."""
        return self.path.partition("{")[2].partition("}")[0]

    @property
    def sends(self) -> bool:
        return self.method not in {"GET", "DELETE"}

    def url(self, ids: Mapping[str, Any], slash: str = "") -> str:
        path = self.path.removesuffix("/") + slash or "/"
        return (path + QUERIES.get(self.name, "")).format_map(ids)

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def _read(table: str) -> dict[str, Operation]:
    operations = {}
    for method, path, *statuses, scope in (line.split() for line in table.splitlines()[2:] if line):
        name = BY_ROUTE.get((method, unnamed(path)), {}).get("operationId", path)
        operations[name] = Operation(
            name, method, path, dict(zip(ROLES, map(int, statuses), strict=True)), scope
        )
    return operations


CATALOGUE = _read(TABLE)
NAMING_AN_OBJECT = [operation for operation in CATALOGUE.values() if operation.kind]


@dataclass
class Given:
    """What paths name and bodies refer to; `me` may do everything with it."""

    me: User
    peer: User
    newcomer: User
    #: By kind of object; by operation where it needs another one.
    ids: dict[str, Any]
    refresh_token: str
    # What `prepare` makes, for the operations that it is for.
    code: str | None = None
    login_token: str = "nonsense"
    mailed_token: str = "nonsense"

    def url(self, operation: Operation, slash: str = "") -> str:
        named = self.ids.get(operation.name, self.ids.get(operation.kind))
        return operation.url({**self.ids, operation.kind: named}, slash)

    def body(self, operation: Operation) -> dict[str, Any] | None:
        """What the operation is sent when all is well: every field that it has."""
        return good_bodies(self).get(operation.name, {}) if operation.sends else None


def make_given(me: User, peer: User) -> Given:
    sent, received = MessageFactory(sender=me, recipient=peer), MessageFactory(sender=peer, recipient=me)
    _, tokens = open_session(me)
    ids = {
        "message": sent.pk,
        "mark_message_read": received.pk,
        "conversation": sent.conversation_id,
        "session": SessionFactory(user=me).pk,
        "token": PersonalTokenFactory(user=me).pk,
        "person": peer.pk,
        "blocked": BlockFactory(blocker=me).blocked_id,
        "address": AddressFactory(user=me).pk,
        "reply": ReplyFactory(asker=me).pk,
        "retry_reply": ReplyFactory(asker=me, state="failed").pk,
        "report": ReportFactory(reporter=me, message=received).pk,
    }
    return Given(me, peer, UserFactory(), ids, tokens.refresh_token)


def prepare(operation: Operation, given: Given) -> None:
    """Brings about the state in which the operation makes sense."""
    me = given.me
    match operation.name:
        case "log_in_second_factor" | "renew_recovery_codes" | "remove_second_factor":
            given.code = enrol(me)[0].code()
            given.login_token = login_token(APIClient(), me.username)
        case "confirm_totp":
            given.code = Phone(begin_totp(me).secret).code()
        case "finish_link":
            send_sms_code(me, phone_number="+14155550100")
            given.code = code_of(LinkCode.objects.get(user=me))
        case "list_deliveries":
            address = Address.objects.get(pk=given.ids["address"])
            sender = Sender.objects.create(address="+15005550006", account_sid="AC1")
            thread = Thread.objects.create(address=address, sender=sender, reply_to=address.value)
            Delivery.objects.create(message_id=given.ids["message"], thread=thread)
        case "reset_password":
            given.mailed_token = _mail_token(me, "reset")
        case "verify_address":
            given.mailed_token = _mail_token(me, "verify")
        case "cancel_deletion":
            request_deletion(UserFactory(username="leaver"), erases=False)
            given.mailed_token = undo_token()


def _mail_token(user: User, purpose: str) -> str:
    token = f"{purpose} of {user.pk}"
    MailSecret.objects.create(
        user=user,
        purpose=purpose,
        address_key=user.email_key,
        token=digest(token),
        code="",
        expires_at=timezone.now() + timedelta(hours=1),
    )
    return token


def good_bodies(given: Given) -> dict[str, dict[str, Any]]:
    """By operation, what it is sent when all is well: every field that it has."""
    me, peer, mailed = given.me, given.peer, given.mailed_token
    text = {"content": "Noon?"}
    complaint = {**text, "title": "Insults"}
    codes: dict[str, Any] = {"code": given.code, "recovery_code": None}
    proof = {"current_password": PASSWORD, **codes}
    profile = {"full_name": "Dora Dale", "phone_number": "+4930123456"}
    return {
        "log_in": {"username": me.username, "password": PASSWORD, **codes},
        "log_in_second_factor": {"login_token": given.login_token, **codes},
        "begin_totp": proof,
        "confirm_totp": {"code": given.code},
        "renew_recovery_codes": proof,
        "remove_second_factor": proof,
        "register_user": {"username": "dora", "email": "dora@example.org", "password": PASSWORD, **profile}
        | {"invitation": None},
        "refresh_tokens": {"refresh_token": given.refresh_token},
        "log_out": {"refresh_token": given.refresh_token},
        "update_me": {"bio": "Bakes.", **profile},
        "patch_me": {"bio": "Bakes.", **profile},
        "change_password": {"new_password": NEW_PASSWORD, **proof},
        "ask_for_password_reset": {"email": me.email},
        "reset_password": {"token": mailed, "email": "", "code": "", "new_password": NEW_PASSWORD},
        "ask_for_verification": {"email": me.email},
        "verify_address": {"token": mailed, "email": "", "code": ""},
        "change_address": {"email": "new@example.org", **proof},
        "exchange_assertion": {"assertion": sign_assertion(email="dora@example.org")},
        "make_token": {"name": "Backup", "scopes": ["messages:read"], "expires_in_days": 30, **proof},
        "update_preferences": {"notify_logins": False},
        "patch_preferences": {"notify_logins": False},
        "export_me": proof,
        "delete_me": {**proof, "messages": "erase"},
        "cancel_deletion": {**codes, "token": mailed, "username": "leaver", "password": PASSWORD},
        "block_user": {"user_id": given.newcomer.pk},
        "set_phone": {"phone_number": "+14155550100"},
        "begin_link": {"method": "text", "phone_number": None},
        "finish_link": {"code": given.code},
        "send_message": {**text, "recipient_id": peer.pk, "conversation_id": None, "parent_id": None},
        "send_conversation_message": {**text, "recipient_id": None, "parent_id": None},
        "update_message": text,
        "patch_message": text,
        "update_assistant": {"share_messages": True},
        "ask_assistant": text,
        "ask_assistant_twilio": text,
        "ask_for_person": {"reason": "It does not help."},
        "file_report": {**complaint, "message_id": given.ids["mark_message_read"]},
        "update_report": complaint,
        "patch_report": complaint,
    }
