"""Links an address to an account by a code: the user texts it to us, or we send it by SMS."""

import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone
from django.utils.crypto import constant_time_compare, salted_hmac

from accounts.models import User
from aimessage.api.problems import THROTTLED, Invalid, Reason, TooManyRequests, Unavailable
from aimessage.api.throttles import seconds_to_wait
from aimessage.db.batches import delete_in_batches
from aimessage.db.rate_windows import count_request
from channels.codes import code_of, digest_of, new_salt
from channels.models import Address, Channel, LinkCode
from channels.services.addresses import MAX_ADDRESSES, TOO_MANY_ADDRESSES, link_address
from channels.services.notices import send_code
from channels.settings import country_of
from channels.switch import twilio_or_404
from channels.twilio_calls import NotReached, Refused, Unclear, is_verified, start_verification

LIFETIMES = {LinkCode.Method.TEXT: timedelta(minutes=15), LinkCode.Method.SMS: timedelta(minutes=10)}
#: Wrong guesses after which a code is void.
TRIES = 5
#: Seconds between two codes for one user.
GAP = 60
#: Codes for one number in so many seconds. No setting lifts these limits: each SMS costs the operator money.
PER_NUMBER = (3, 3600)
#: Tries to draw a code that no other user has.
DRAWS = 5

_TEXTED = re.compile(r"\s*LINK[\s:]*([0-9A-Z]{4})[\s-]*([0-9A-Z]{2})\s*", re.IGNORECASE)

CODE_WRONG = Reason("Code is invalid or expired", "wrong_code", field="code")
COUNTRY_NOT_ALLOWED = Reason(
    "Codes are not sent to numbers of this country", "country_not_allowed", field="phone_number"
)
VERIFY_DOWN = Reason("No code can be sent or checked now, try again soon")
NO_SMS = Reason("This server sends no SMS: text a code to it", "no_sms", field="method")

logger = logging.getLogger("auth")


class TextCode(NamedTuple):
    #: The whole text that the user is to send.
    code: str
    #: Channel → our number.
    send_to: Mapping[str, str | None]
    expires_at: datetime


def issue_text_code(user: User) -> TextCode:
    """A code that links the address from which it is texted to us; it replaces the user's previous one.

    Raises Invalid if the account has MAX_ADDRESSES already.
    """
    row = _issue(user, LinkCode.Method.TEXT)
    code = code_of(row)
    numbers = {channel.value: twilio_or_404().number_for(channel) for channel in Channel}
    send_to = {name: number and number.removeprefix("whatsapp:") for name, number in numbers.items()}
    return TextCode(f"LINK {code[:4]}-{code[4:]}", send_to, row.expires_at)


def send_sms_code(user: User, *, phone_number: str) -> datetime:
    """Sends a code to any number; it replaces the user's previous one. Returns when it expires.

    Raises Invalid if this server sends no SMS, or not to that country, or if the account has MAX_ADDRESSES;
    TooManyRequests above a limit for the user or the number; Unavailable if Twilio Verify fails.
    """
    if not twilio_or_404().verify and twilio_or_404().number_for(Channel.SMS) is None:
        raise Invalid(NO_SMS)
    if country_of(phone_number) not in twilio_or_404().countries:
        raise Invalid(COUNTRY_NOT_ALLOWED)
    _count("phone-gap", str(user.pk), 1, GAP)
    if wait := seconds_to_wait("phone", str(user.pk)):
        raise _too_many(wait)
    ident = salted_hmac("channels.number", phone_number, algorithm="sha256").hexdigest()
    _count("phone-number", ident, *PER_NUMBER)
    with transaction.atomic():
        code = _issue(user, LinkCode.Method.SMS, phone_number=phone_number)
        if not twilio_or_404().verify:
            send_code(code)
    if twilio_or_404().verify:
        with _unavailable_if_verify_fails():
            start_verification(phone_number)
    logger.info("code sent: user=%s code=%s", user.pk, code.pk)
    return code.expires_at


def _count(scope: str, ident: str, limit: int, seconds: int) -> None:
    number, left = count_request(f"{scope}:{ident}", seconds=seconds)
    if number > limit:
        raise _too_many(left)


def _too_many(wait: float) -> TooManyRequests:
    return TooManyRequests(THROTTLED.format(wait=max(1, round(wait))), retry_after=wait)


def _issue(user: User, method: LinkCode.Method, *, phone_number: str = "") -> LinkCode:
    if Address.objects.filter(user=user).count() >= MAX_ADDRESSES:
        raise Invalid(TOO_MANY_ADDRESSES)
    for draw in range(DRAWS):
        now = timezone.now()
        code = LinkCode(
            user=user,
            method=method,
            phone_number=phone_number,
            salt=new_salt(),
            created_at=now,
            expires_at=now + LIFETIMES[method],
        )
        code.digest = digest_of(code_of(code), code)
        try:
            with transaction.atomic():
                LinkCode.objects.filter(user=user, method=method).delete()
                code.save()
        except IntegrityError:  # another user has this code, or a concurrent request of the same user won
            if draw == DRAWS - 1:
                raise
        else:
            break
    return code


def find_texted_code(text: str) -> LinkCode | None:
    match = _TEXTED.fullmatch(text[:100])
    if match is None:
        return None
    digest = digest_of((match[1] + match[2]).upper())
    live = LinkCode.objects.filter(method=LinkCode.Method.TEXT, expires_at__gt=timezone.now())
    return live.filter(digest=digest, user__is_active=True).select_related("user").first()


def use_texted_code(code: LinkCode, *, value: str) -> Address | None:
    """Links the address `value`, from which the code came; None if a concurrent request used the code."""
    if not LinkCode.objects.filter(pk=code.pk).delete()[0]:
        return None
    return link_address(value, user=code.user, proof=Address.Proof.TEXT)


def use_sms_code(user: User, written: str) -> Address:
    """Links the number that the code was sent to. Raises Invalid for a wrong code; each guess is counted."""
    typed = re.sub(r"[\s-]", "", written)
    code = _count_try(user)
    if code is None or not _is_right(typed, code):
        raise Invalid(CODE_WRONG)
    with transaction.atomic():
        if not LinkCode.objects.filter(pk=code.pk).delete()[0]:
            raise Invalid(CODE_WRONG)
        return link_address(code.phone_number, user=user, proof=Address.Proof.SMS)


def _count_try(user: User) -> LinkCode | None:
    own = LinkCode.objects.filter(user=user, method=LinkCode.Method.SMS, expires_at__gt=timezone.now())
    # Counted before the code is compared, so that concurrent guesses cannot exceed the limit.
    return own.first() if own.filter(failures__lt=TRIES).update(failures=F("failures") + 1) else None


def _is_right(typed: str, code: LinkCode) -> bool:
    if twilio_or_404().verify:
        with _unavailable_if_verify_fails():
            return is_verified(code.phone_number, typed)
    return constant_time_compare(digest_of(typed, code), code.digest)


@contextmanager
def _unavailable_if_verify_fails() -> Iterator[None]:
    try:
        yield
    except (Refused, NotReached, Unclear) as error:
        logger.error("Twilio Verify: %s %s", type(error).__name__, error)
        raise Unavailable(VERIFY_DOWN) from error


def sweep(*, dry_run: bool = False) -> dict[str, int]:
    expired = LinkCode.objects.filter(expires_at__lte=timezone.now())
    return {"codes for phones": delete_in_batches(expired, dry_run=dry_run)}
