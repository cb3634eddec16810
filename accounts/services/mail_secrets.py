"""Links and codes in mails: each works once, for a limited time.

They are derived from the mail and the server's key, so a retry of a mail carries the same secret although the
database stores only digests.
"""

import base64
import unicodedata
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import NamedTuple

from django.conf import settings
from django.db import connection
from django.db.models import F
from django.utils import timezone
from django.utils.crypto import constant_time_compare, salted_hmac

from accounts.models import MailSecret, PendingDeletion, User
from accounts.tokens import digest
from aimessage.api.problems import Invalid, Reason
from aimessage.db.batches import delete_in_batches
from aimessage.db.text import fold
from aimessage.mail.models import Mail

Purpose = MailSecret.Purpose
#: No vowels, so that no words appear, and no letters that look alike (RFC 8628, 6.1).
ALPHABET = "BCDFGHJKLMNPQRSTVWXZ"
CODE_LENGTH = 8
#: After so many wrong codes a secret takes no more.
TRIES = 5
#: Longest token or code that is looked at, in characters.
MAX_LENGTH = 100

LINK_INVALID = Reason("Link or code is invalid or expired", "invalid_token", leads=True)


class LinkInvalid(Invalid):
    """The token or code is unknown, used or expired; the answer does not say which."""

    def __init__(self) -> None:
        super().__init__(LINK_INVALID)


class Secret(NamedTuple):
    token: str
    code: str

    @property
    def link_facts(self) -> dict[str, str]:
        half = CODE_LENGTH // 2
        return {"token": self.token, "code": f"{self.code[:half]}-{self.code[half:]}"}


def _derive(mail: Mail) -> Secret:
    token = salted_hmac("accounts.mail_token", mail.uuid.hex, algorithm="sha256").digest()
    number = int.from_bytes(salted_hmac("accounts.mail_code", mail.uuid.hex, algorithm="sha256").digest())
    letters = []
    for _ in range(CODE_LENGTH):
        number, place = divmod(number, len(ALPHABET))
        letters.append(ALPHABET[place])
    return Secret(base64.urlsafe_b64encode(token).rstrip(b"=").decode(), "".join(letters))


def mail_token(mail: Mail) -> str:
    return _derive(mail).token


def _code_digest(purpose: str, address_key: str, code: str) -> str:
    # Keyed: a plain digest of so short a code could be reversed by trying all codes.
    value = f"{purpose}\n{address_key}\n{code}"
    return salted_hmac("accounts.mail_code_digest", value, algorithm="sha256").hexdigest()


def make_secret(
    mail: Mail, user: User, purpose: Purpose, *, address: str, expires_at: datetime
) -> Secret | None:
    """The secret for `mail`; it replaces the secrets of earlier mails with the same purpose.

    None if the secret was used already, or a newer mail has one. The caller must have locked `user`.
    """
    if _is_outdated(mail, user):
        return None
    secret = _derive(mail)
    token = digest(secret.token)
    own = MailSecret.objects.filter(user=user, purpose=purpose)
    if mail.written_at is not None:
        return secret if own.filter(token=token, expires_at__gt=timezone.now()).exists() else None
    address_key = fold(address)
    own.update_or_create(
        user=user,
        purpose=purpose,
        defaults={
            "address_key": address_key,
            "token": token,
            "code": _code_digest(purpose, address_key, secret.code),
            "tries": 0,
            "expires_at": expires_at,
        },
    )
    return secret


def _is_outdated(mail: Mail, user: User) -> bool:
    return Mail.objects.filter(user=user, kind=mail.kind, pk__gt=mail.pk).exists()


def make_undo_token(mail: Mail, user: User) -> str | None:
    """The token that cancels the pending deletion of `user`. Only its digest is stored.

    None if the deletion was cancelled, or a newer mail announces another one.
    """
    if _is_outdated(mail, user):
        return None
    token = mail_token(mail)
    pending = PendingDeletion.objects.filter(user=user)
    return token if pending.update(token=digest(token)) else None


def find_secret(
    *purposes: Purpose, token: str | None = None, email: str | None = None, code: str | None = None
) -> MailSecret:
    """The live secret that belongs to a token, or to an address and its code. Raises LinkInvalid.

    A code is counted before it is compared, so parallel requests get no more than TRIES.
    """
    live = MailSecret.objects.filter(purpose__in=purposes, expires_at__gt=timezone.now())
    if token:
        live = live.filter(token=digest(token[: MAX_LENGTH + 1]))
    else:
        tried = _try_code(purposes, fold(email or ""), _plain((code or "")[:MAX_LENGTH]))
        live = live.filter(pk=tried) if tried else live.none()
    found = live.select_related("user").first()
    if found is None or not found.user.is_active or found.user.kind != User.Kind.PERSON:
        raise LinkInvalid
    return found


def _plain(code: str) -> str:
    return "".join(c for c in code.upper() if not c.isspace() and unicodedata.category(c) != "Pd")


#: Counts and reads in one statement, which is the same whether the account exists or not.
_TRY_CODE = """
    UPDATE accounts_mailsecret SET tries = tries + 1
    WHERE address_key = %s AND purpose IN ({purposes}) AND tries < %s AND expires_at > %s
    RETURNING id, purpose, code
"""


def _try_code(purposes: Collection[Purpose], address_key: str, code: str) -> int | None:
    statement = _TRY_CODE.format(purposes=", ".join(["%s"] * len(purposes)))
    now = connection.ops.adapt_datetimefield_value(timezone.now())
    with connection.cursor() as cursor:
        cursor.execute(statement, [address_key, *map(str, purposes), TRIES, now])
        tried = cursor.fetchall()
    for pk, purpose, stored in tried:
        if constant_time_compare(_code_digest(purpose, address_key, code), stored):
            return int(pk)
    return None


def uncount_try(secret: MailSecret) -> None:
    MailSecret.objects.filter(pk=secret.pk, tries__gt=0).update(tries=F("tries") - 1)


def use_up(secret: MailSecret) -> None:
    """Raises LinkInvalid if another request used the secret first, or a newer mail replaced it."""
    same = MailSecret.objects.filter(pk=secret.pk, token=secret.token, expires_at__gt=timezone.now())
    if not same.delete()[0]:
        raise LinkInvalid


def link(purpose: str, token: str) -> str:
    return settings.LINKS[purpose].replace("{token}", token)


def sweep(*, dry_run: bool = False) -> dict[str, int]:
    expired = MailSecret.objects.filter(expires_at__lt=timezone.now())
    return {"links in mails": delete_in_batches(expired, dry_run=dry_run)}


#: How long links and codes are good.
LIFETIMES = {
    Purpose.RESET: timedelta(minutes=60),
    Purpose.VERIFY: timedelta(hours=24),
    Purpose.CHANGE: timedelta(hours=24),
}
