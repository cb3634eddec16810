"""Calls to Twilio's REST API, with time limits; twilio_client.py holds the client."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from django.conf import settings

from aimessage.jobs.retries import parse_retry_after
from channels.settings import Twilio

if TYPE_CHECKING:
    from twilio.rest import Client
    from twilio.rest.api.v2010.account.message import MessageInstance

T = TypeVar("T")
#: Limits in seconds for connecting, for a pause while reading, and for the whole call.
CONNECT_SECONDS, READ_SECONDS, CALL_SECONDS = 5.0, 10.0, 15.0
#: Seconds for which Twilio keeps a message that it cannot pass on yet.
VALIDITY = 3600
#: How many messages to one number are read from Twilio's list.
LISTED = 100
_UNAUTHORIZED, _NOT_FOUND, _GATEWAY_TIMEOUT = 401, 404, 504
#: Twilio's code for "Max check attempts reached".
_TRIED_TOO_OFTEN = 60202


@dataclass(frozen=True)
class Outgoing:
    #: The account of our number.
    account: str
    sender: str
    #: Empty: not through a pool.
    pool: str
    to: str
    body: str
    #: Sent instead of the body if it is not empty.
    template: str = ""
    callback: str = ""


@dataclass(frozen=True)
class TwilioMessage:
    """A message that Twilio has accepted, as Twilio shows it."""

    sid: str
    status: str
    body: str = ""
    code: int | None = None


class Refused(Exception):
    """Twilio answered with an error. `retry_after` is in seconds."""

    def __init__(self, status: int, code: int | None, retry_after: float | None) -> None:
        super().__init__(f"{status} {code or ''}".strip())
        self.status, self.code, self.retry_after = status, code, retry_after


class NotReached(Exception):
    """There was no connection, so Twilio did not get the request."""


class Unclear(Exception):
    """Twilio may have got the request: no answer came, or it cannot be read."""


def send(outgoing: Outgoing) -> TwilioMessage:
    """Has Twilio send a message. Raises Refused, NotReached or Unclear."""
    content = {"content_sid": outgoing.template} if outgoing.template else {"body": outgoing.body}

    def create(client: "Client") -> TwilioMessage:
        message = client.messages.create(
            to=outgoing.to,
            from_=outgoing.sender,
            status_callback=outgoing.callback,
            validity_period=VALIDITY,
            **({"messaging_service_sid": outgoing.pool} if outgoing.pool else {}),
            **content,
        )
        return _read(message)

    return _call(outgoing.account, create)


def list_sent(outgoing: Outgoing, *, since: datetime) -> list[TwilioMessage]:
    """The messages from the same number to the same address since then, newest first; raises as `send`."""

    def read(client: "Client") -> list[TwilioMessage]:
        # Twilio's own filter `date_sent` only knows days, and misses messages that were not sent yet.
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
    """Whether Twilio Verify sent this code to that number; raises as `send`."""
    twilio = _configured()

    def check(client: "Client") -> bool:
        checks = client.verify.v2.services(twilio.verify).verification_checks
        return bool(checks.create(to=number, code=code).status == "approved")

    try:
        return _call(twilio.account, check)
    except Refused as error:
        # The code expired, was used, or was guessed at too often.
        if error.status == _NOT_FOUND or error.code == _TRIED_TOO_OFTEN:
            return False
        raise


def _read(message: "MessageInstance") -> TwilioMessage:
    if not isinstance(message.sid, str) or not message.sid:
        raise Unclear("An answer without a SID")
    return TwilioMessage(message.sid, str(message.status), message.body or "", message.error_code)


def _call(account: str, function: Callable[["Client"], T]) -> T:
    from twilio.base.exceptions import TwilioRestException, TwilioServiceException

    from channels.twilio_client import Http, failed_to_connect, make_client

    refused = Refused(_UNAUTHORIZED, None, None)
    twilio = _configured()
    for username, password in _credentials(twilio, account):
        http = Http(twilio.url, connect_seconds=CONNECT_SECONDS, read_seconds=READ_SECONDS)
        client = make_client(username, password, account, http)
        try:
            return _within(CALL_SECONDS, partial(function, client))
        except (TwilioRestException, TwilioServiceException) as error:
            if error.status == _GATEWAY_TIMEOUT:
                raise Unclear(f"{error.status}") from None
            code = error.code if isinstance(error.code, int) and error.code != error.status else None
            refused = Refused(int(error.status), code, parse_retry_after(http.retry_after))
            # During a rotation of tokens only one of them is valid.
            if error.status != _UNAUTHORIZED:
                break
        except (NotReached, Unclear):
            raise
        except Exception as error:
            # Anything else that the library and requests raise if the answer is unreadable or missing.
            raise (NotReached if failed_to_connect(error) else Unclear)(type(error).__name__) from None
    raise refused


def _configured() -> Twilio:
    if settings.TWILIO is None:
        raise NotReached("Twilio is off")
    return settings.TWILIO


def _credentials(twilio: Twilio, account: str) -> Iterator[tuple[str, str]]:
    if account == twilio.account and twilio.api_key:
        yield twilio.api_key
        return
    for token in twilio.tokens.get(account, ()):
        yield account, token
    # The main account may act for its subaccounts.
    if account not in twilio.tokens:
        for token in twilio.tokens.get(twilio.account, ()):
            yield twilio.account, token


def _within(seconds: float, function: Callable[[], T]) -> T:
    # A peer that sends a byte now and then never hits a socket timeout, so the call runs in a thread that is
    # abandoned after `seconds`.
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(function())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=run, name="twilio", daemon=True).start()
    return future.result(timeout=seconds)
