"""Calls to Twilio's REST interface.

The library's client waits without a limit, and knows one address only; `_Http` gives it both. Importing it
takes 20 MB, so nothing that answers requests does.
"""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from django.conf import settings

from aimessage.jobs.retries import parse_retry_after
from channels.settings import Twilio

if TYPE_CHECKING:
    from twilio.rest import Client
    from twilio.rest.api.v2010.account.message import MessageInstance

T = TypeVar("T")
#: Seconds for a connection, for a silence, and for all of a call.
CONNECT_SECONDS, READ_SECONDS, CALL_SECONDS = 5.0, 10.0, 15.0
#: Seconds for which Twilio keeps a message that it cannot pass on yet.
VALIDITY = 3600
#: Messages to one number that a look into Twilio's list reads.
LISTED = 100
#: Where the library believes Twilio to be.
_OFFICIAL, _OFFICIAL_VERIFY = "https://api.twilio.com", "https://verify.twilio.com"
#: Otherwise the library would take them from the environment.
_ENVIRONMENT = {"TWILIO_EDGE": "", "TWILIO_REGION": ""}
_UNAUTHORIZED, _NOT_FOUND, _GATEWAY_TIMEOUT = 401, 404, 504
#: Max check attempts reached.
_TRIED_TOO_OFTEN = 60202


@dataclass(frozen=True)
class Outgoing:
    #: The account of our number.
    account: str
    sender: str
    #: The pool that the answer goes through; empty for none.
    pool: str
    to: str
    body: str
    #: Sent instead of the body.
    template: str = ""
    callback: str = ""


@dataclass(frozen=True)
class Taken:
    """What Twilio says of a message that it has."""

    sid: str
    status: str
    body: str = ""
    code: int | None = None


class Refused(Exception):
    """Twilio answered, and did not take it."""

    def __init__(self, status: int, code: int | None, retry_after: float | None) -> None:
        super().__init__(f"{status} {code or ''}".strip())
        self.status, self.code, self.retry_after = status, code, retry_after


class NotReached(Exception):
    """There was no connection, so that Twilio has not seen it."""


class Unclear(Exception):
    """Twilio may have it: the answer did not come, or nobody can read it."""


def send(outgoing: Outgoing) -> Taken:
    """Has Twilio send a message. Raises Refused, NotReached or Unclear."""
    content = {"content_sid": outgoing.template} if outgoing.template else {"body": outgoing.body}

    def create(client: "Client") -> Taken:
        made = client.messages.create(
            to=outgoing.to,
            from_=outgoing.sender,
            status_callback=outgoing.callback,
            validity_period=VALIDITY,
            **({"messaging_service_sid": outgoing.pool} if outgoing.pool else {}),
            **content,
        )
        return _read(made)

    return _call(outgoing.account, create)


def list_sent(outgoing: Outgoing, *, since: datetime) -> list[Taken]:
    """What Twilio was given to send to the same address from our number since; raises as `send`."""

    def read(client: "Client") -> list[Taken]:
        # `date_sent` has days, and is null until it was sent; so the list is read from its newest on.
        listed = client.messages.list(to=outgoing.to, from_=outgoing.sender, limit=LISTED)
        return [
            _read(one)
            for one in listed
            if one.date_created is None or one.date_created >= since - timedelta(seconds=1)
        ]

    return _call(outgoing.account, read)


def start_verification(number: str) -> None:
    """Has Twilio Verify send a code by SMS; raises as `send`."""
    twilio = _configured()

    def start(client: "Client") -> None:
        client.verify.v2.services(twilio.verify).verifications.create(to=number, channel="sms")

    _call(twilio.account, start)


def is_verified(number: str, code: str) -> bool:
    """Whether that is the code that Twilio Verify sent there; raises as `send`."""
    twilio = _configured()

    def check(client: "Client") -> bool:
        checks = client.verify.v2.services(twilio.verify).verification_checks
        return bool(checks.create(to=number, code=code).status == "approved")

    try:
        return _call(twilio.account, check)
    except Refused as error:
        # It ran out, was used, or was tried too often.
        if error.status == _NOT_FOUND or error.code == _TRIED_TOO_OFTEN:
            return False
        raise


def _read(message: "MessageInstance") -> Taken:
    if not isinstance(message.sid, str) or not message.sid:
        raise Unclear("An answer without a SID")
    return Taken(message.sid, str(message.status), message.body or "", message.error_code)


def _call(account: str, function: Callable[["Client"], T]) -> T:
    from twilio.base.exceptions import TwilioRestException, TwilioServiceException

    refused = Refused(_UNAUTHORIZED, None, None)
    for username, password in _credentials(_configured(), account):
        http = make_http()
        client = make_client(username, password, account, http)
        try:
            return _within(CALL_SECONDS, lambda client=client: function(client))  # type: ignore[misc]
        except (TwilioRestException, TwilioServiceException) as error:
            if error.status == _GATEWAY_TIMEOUT:
                raise Unclear(f"{error.status}") from None
            code = error.code if isinstance(error.code, int) and error.code != error.status else None
            refused = Refused(int(error.status), code, parse_retry_after(http.retry_after))
            # While a token takes the place of another, the one is right and the other is not.
            if error.status != _UNAUTHORIZED:
                break
        except (NotReached, Unclear):
            raise
        except Exception as error:
            # Whatever else the library raises about an answer, or about none.
            raise (NotReached if _never_left(error) else Unclear)(type(error).__name__) from None
    raise refused


def _configured() -> Twilio:
    if settings.TWILIO is None:
        raise NotReached("Twilio is off")
    return settings.TWILIO


def _credentials(twilio: Twilio, account: str) -> Iterator[tuple[str, str]]:
    """Whom to call as, best first. A subaccount's messages may be sent by the account above it, too."""
    if account == twilio.account and twilio.api_key:
        yield twilio.api_key
        return
    for token in twilio.tokens.get(account, ()):
        yield account, token
    if account not in twilio.tokens:
        for token in twilio.tokens.get(twilio.account, ()):
            yield twilio.account, token


def make_http() -> Any:
    from requests import Session
    from twilio.http import HttpClient
    from twilio.http.response import Response

    base = _configured().url

    class Http(HttpClient):
        retry_after: str | None = None

        def request(self, method: str, url: str, **given: Any) -> Response:
            given |= {"timeout": (CONNECT_SECONDS, READ_SECONDS), "allow_redirects": False}
            with Session() as session:
                if base != _OFFICIAL:
                    url = url.replace(_OFFICIAL, base, 1).replace(_OFFICIAL_VERIFY, base, 1)
                answer = session.request(method, url, **given)
            self.retry_after = answer.headers.get("Retry-After")
            return Response(answer.status_code, answer.text, answer.headers)

    return Http(None, False, None)


def make_client(username: str, password: str, account: str, http: Any) -> "Client":
    from twilio.rest import Client

    return Client(username, password, account, http_client=http, environment=_ENVIRONMENT)


def _within(seconds: float, function: Callable[[], T]) -> T:
    """A peer that sends a byte now and then meets no timeout of a socket's: its call is left to itself."""
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(function())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=run, name="twilio", daemon=True).start()
    return future.result(timeout=seconds)


def _never_left(error: BaseException) -> bool:
    """Whether the request failed before there was a connection that it could have left by."""
    from requests import exceptions as raised
    from urllib3 import exceptions as below

    if isinstance(error, raised.ConnectTimeout | raised.InvalidURL | raised.MissingSchema):
        return True
    cause = error.args[0] if isinstance(error, raised.ConnectionError) and error.args else None
    reason = cause.reason if isinstance(cause, below.MaxRetryError) else None
    return isinstance(
        reason, below.NewConnectionError | below.ConnectTimeoutError | below.SSLError | below.ProxyError
    )
