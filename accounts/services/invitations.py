"""Invitations, and who may register."""

import logging
import secrets
from datetime import timedelta

from django.conf import settings
from django.db import models, transaction
from django.utils import timezone

from accounts.models import Invitation, User
from accounts.services.mail_secrets import mail_token
from accounts.tokens import digest
from aimessage.api.problems import Forbidden, Invalid, NotFound, Reason
from aimessage.db.batches import delete_in_batches
from aimessage.db.text import fold
from aimessage.mail.outbox import post

#: 128 bits.
CODE_BYTES = 16
#: How long a dead invitation is kept, to see who registered with it.
KEEP_DEAD_INVITATIONS = timedelta(days=30)

REGISTRATION_CLOSED = Reason("Registration is closed", "registration_closed")
INVITATION_REQUIRED = Reason("Registration needs an invitation", "invitation_required")
#: One answer for unknown, used up, expired, withdrawn and for another address, so that it reveals nothing.
INVITATION_INVALID = Reason("Invitation is not valid", "invalid", field="invitation")

logger = logging.getLogger("auth")


@transaction.atomic
def make_invitation(invitation: Invitation, *, actor: User, days: int) -> str:
    """Saves an unsaved invitation that expires in `days`, and mails it to its address if it has one.

    Returns the code, which is not stored.
    """
    mail = post("invitation", address=invitation.email) if invitation.email else None
    code = mail_token(mail) if mail else secrets.token_urlsafe(CODE_BYTES)
    invitation.code_hash = digest(code)
    invitation.created_by = actor
    invitation.expires_at = timezone.now() + timedelta(days=days)
    invitation.save(force_insert=True)
    logger.info("invitation made: invitation=%s by=%s", invitation.pk, actor.pk)
    return code


def withdraw_invitation(invitation: Invitation, *, actor: User) -> None:
    """Raises NotFound if the invitation is used up, expired or withdrawn already."""
    live = Invitation.objects.live().filter(pk=invitation.pk)
    if not live.update(withdrawn_at=timezone.now(), updated_at=timezone.now()):
        raise NotFound("This invitation is no longer good anyway")
    logger.info("invitation withdrawn: invitation=%s by=%s", invitation.pk, actor.pk)


def check_registration_open() -> None:
    if settings.REGISTRATION == "closed":
        raise Forbidden(REGISTRATION_CLOSED)


def check_invited(code: str) -> None:
    if not code and settings.REGISTRATION == "invite":
        raise Forbidden(INVITATION_REQUIRED)


def use_invitation(code: str, *, email: str) -> Invitation:
    """Counts one use. The caller registers `email` in the same transaction, so a rollback gives the use back.

    Raises Invalid if the code is not valid for this address.
    """
    code_hash = digest(code)
    for_them = models.Q(email_key="") | models.Q(email_key=fold(email))
    # One conditional UPDATE, so that only one of several racing registrations gets the last use.
    live = Invitation.objects.live().filter(for_them, code_hash=code_hash)
    if not live.update(uses=models.F("uses") + 1, updated_at=timezone.now()):
        raise Invalid(INVITATION_INVALID)
    return Invitation.objects.select_related("role", "created_by").get(code_hash=code_hash)


def sweep(*, dry_run: bool = False) -> dict[str, int]:
    dead = Invitation.objects.dead_for(KEEP_DEAD_INVITATIONS)
    return {"invitations": delete_in_batches(dead, dry_run=dry_run)}
