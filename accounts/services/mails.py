"""Mails to users: links that they ask for, invitations, and notices about their account."""

from datetime import datetime

from django.conf import settings
from django.utils import timezone
from django.utils.crypto import salted_hmac

from accounts.models import Invitation, MailSecret, User
from accounts.models.users import NO_ADDRESS
from accounts.services.mail_secrets import (
    LIFETIMES,
    Purpose,
    link,
    mail_token,
    make_secret,
    make_undo_token,
)
from accounts.tokens import digest
from aimessage.api.problems import Forbidden, Reason
from aimessage.api.throttles import seconds_to_wait
from aimessage.db.text import fold
from aimessage.mail.kinds import Draft, writes
from aimessage.mail.models import Mail
from aimessage.mail.outbox import post

MAIL_OFF = Reason("This server sends no mail", "mail_off")

#: Mails about an event on the account, which the user did not ask for.
NOTICES = [
    "new_login",
    "password_changed",
    "second_factor_on",
    "second_factor_off",
    "recovery_code_used",
    "wrong_codes",
    "address_changed",
    "token_made",
    "exported",
    "phone_lost",
    "phone_unreachable",
    "deletion_begun",
    "deletion_done",
]
#: The notices that are also sent to an unverified address.
TO_UNVERIFIED = {"deletion_begun", "deletion_done"}


def require_mail() -> None:
    if not settings.MAIL_ON:
        raise Forbidden(MAIL_OFF)


def notify(user: User, kind: str, *, address: str = "", **context: object) -> None:
    """Queues a notice about the account in the caller's transaction.

    It goes to `address` if given, otherwise to the user's address if that is verified or the kind is in
    TO_UNVERIFIED. `context` is for the templates: texts, numbers and datetimes.
    """
    if kind not in NOTICES:
        raise ValueError(f"There is no notice {kind!r}")
    if not address and not _can_be_told(user, kind):
        return
    facts = {
        name: value.isoformat() if isinstance(value, datetime) else value for name, value in context.items()
    }
    if kind == "deletion_done":
        # Without user_id: the user's row is deleted before the mail is sent.
        post(kind, address=address or user.email, facts={"username": user.username, **facts})
    else:
        post(kind, user_id=user.pk, address=address, facts=facts)


def _can_be_told(user: User, kind: str) -> bool:
    if user.email.endswith(f"@{NO_ADDRESS}"):
        return False
    return kind in TO_UNVERIFIED or user.email_verified_at is not None


# --- Requests for a mail ------------------------------------------------------------------------


def ask_for_reset(email: str) -> None:
    # The address is looked up when the mail is written, so response time does not tell who has an account.
    if _count_mail_to(email):
        post(Purpose.RESET, address=email, lifetime=LIFETIMES[Purpose.RESET])


def ask_for_verification(email: str) -> None:
    if settings.EMAIL_VERIFICATION != "off" and _count_mail_to(email):
        post(Purpose.VERIFY, address=email, lifetime=LIFETIMES[Purpose.VERIFY])


def ask_to_verify(user: User) -> None:
    if settings.MAIL_ON and settings.EMAIL_VERIFICATION != "off" and _count_mail_to(user.email):
        post(Purpose.VERIFY, user_id=user.pk, lifetime=LIFETIMES[Purpose.VERIFY])


def ask_to_change(user: User) -> None:
    address = user.email_pending or ""
    if _count_mail_to(address):
        post(Purpose.CHANGE, user_id=user.pk, address=address, lifetime=LIFETIMES[Purpose.CHANGE])


def _count_mail_to(address: str) -> bool:
    # False if the address has had as many mails as it may.
    ident = salted_hmac("accounts.mails", fold(address), algorithm="sha256").hexdigest()
    return seconds_to_wait("mail_address", ident) is None


# --- Writing mails ------------------------------------------------------------------------------


def _lock_addressee(mail: Mail) -> User | None:
    users = User.objects.filter(is_active=True, kind=User.Kind.PERSON).select_for_update(no_key=True)
    if mail.user_id is not None:
        return users.filter(pk=mail.user_id).first()
    # Two addresses with the same folded form may be two mailboxes. The mail goes to the one in the account.
    address_key = fold(mail.address)
    user: User | None = users.filter(email_key=address_key).first()
    if user is None and mail.kind == Purpose.VERIFY:
        # The address may be one that a user is changing to, once the mail about that change is written.
        changes = MailSecret.objects.filter(purpose=Purpose.CHANGE, address_key=address_key)
        newest = changes.order_by("-expires_at").first()
        user = users.filter(pk=newest.user_id).first() if newest else None
    return user


@writes(Purpose.RESET, Purpose.VERIFY, Purpose.CHANGE)
def write_link(mail: Mail) -> Draft | None:
    user = _lock_addressee(mail)
    if user is None:
        return None
    address = user.email
    # A mail about a change goes out only while that very address is pending.
    to_pending = bool(user.email_pending) and fold(mail.address) == fold(user.email_pending or "")
    if mail.kind == Purpose.VERIFY and to_pending:
        mail.kind = Purpose.CHANGE  # which names the templates
    if mail.kind == Purpose.CHANGE:
        if not to_pending:
            return None
        address = user.email_pending or ""
    if mail.kind == Purpose.VERIFY and user.email_verified_at is not None:
        return None
    purpose = Purpose(mail.kind)
    mail.user = user
    expires_at = timezone.now() + LIFETIMES[purpose]
    secret = make_secret(mail, user, purpose, address=address, expires_at=expires_at)
    if secret is None:
        return None
    page = Purpose.VERIFY if purpose == Purpose.CHANGE else purpose
    return Draft(
        address,
        {"username": user.username, "link": link(page, secret.token), **secret.link_facts},
    )


@writes("invitation")
def write_invitation(mail: Mail) -> Draft | None:
    code = mail_token(mail)
    invitation = Invitation.objects.live().filter(code_hash=digest(code)).first()
    if invitation is None or not mail.address:
        return None
    return Draft(mail.address, {"invitation": code, "expires_at": invitation.expires_at})


@writes(*NOTICES)
def write_notice(mail: Mail) -> Draft | None:
    facts = {
        **mail.facts,
        "when": mail.created_at,
        **{
            name: datetime.fromisoformat(value)
            for name, value in mail.facts.items()
            if name.endswith("_at") and isinstance(value, str)
        },
    }
    if mail.user_id is None:
        return Draft(mail.address, facts) if mail.address else None
    user = User.objects.select_for_update(no_key=True).filter(pk=mail.user_id).first()
    if user is None:
        return None
    facts["username"] = user.username
    if mail.kind == "deletion_begun":
        token = make_undo_token(mail, user)
        if token is None:
            return None
        facts["link"] = link("undelete", token)
    return Draft(mail.address or user.email, facts)
