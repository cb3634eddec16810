import logging
from datetime import datetime
from smtplib import SMTPException, SMTPRecipientsRefused, SMTPResponseException

from django.db import transaction
from django.utils import timezone
from django_tasks import task

from aimessage.jobs.retries import GiveUp, TryAgain, retrying
from aimessage.mail.kinds import Draft, writer_of
from aimessage.mail.models import Mail
from aimessage.mail.sending import send

MINUTE, HOUR = 60, 3600
#: Seconds between the tries.
PAUSES = [1 * MINUTE, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 6 * HOUR]
#: SMTP replies from here on are permanent failures (RFC 5321, 4.2.1).
PERMANENT = 500
ERROR_LENGTH = Mail._meta.get_field("error").max_length

logger = logging.getLogger("aimessage.mail")


def _failed(error: Exception, next_at: datetime | None, mail_id: int) -> None:
    reason = str(error) if isinstance(error, GiveUp | TryAgain) else type(error).__name__
    failing = Mail.objects.filter(pk=mail_id)
    failing.update(error=reason[:ERROR_LENGTH])
    if next_at is None:
        # A mail to a user can be sent again. Any other recipient's address must not be kept.
        failing.update(state=Mail.State.FAILED)
        failing.filter(user=None).update(address="", facts={})


@task(queue_name="mail")
@retrying(PAUSES, jitter=0.02, failed=_failed)
def deliver(mail_id: int) -> None:
    mail = Mail.objects.filter(pk=mail_id, state=Mail.State.WAITING).select_related("user").first()
    if mail is None:
        return
    draft = _make_draft(mail)
    if draft is None:
        _finish(mail, Mail.State.DROPPED)
        return
    try:
        send(mail, draft)
    except (SMTPException, OSError, ValueError) as error:
        # `from None`: the original error contains addresses, and the job would store it.
        raise in_short(error) from None
    _finish(mail, Mail.State.SENT)
    logger.info("mail sent: mail=%s kind=%s user=%s", mail.pk, mail.kind, mail.user_id)


def in_short(error: Exception) -> Exception:
    """The same failure without addresses and texts, as GiveUp if it is permanent, else as TryAgain."""
    if isinstance(error, SMTPRecipientsRefused):
        codes = [code for code, _ in error.recipients.values()]
        replies = ", ".join(map(str, codes))
        if codes and min(codes) >= PERMANENT:
            return GiveUp(f"The mail server refuses the address: {replies}")
        return TryAgain(f"The mail server does not take the address now: {replies}")
    if isinstance(error, SMTPResponseException):
        return TryAgain(f"The mail server says {error.smtp_code} ({type(error).__name__})")
    number = f" {error.errno}" if isinstance(error, OSError) and error.errno else ""
    return TryAgain(f"{type(error).__name__}{number}")


def _make_draft(mail: Mail) -> Draft | None:
    now = timezone.now()
    if mail.expires_at is not None and mail.expires_at <= now:
        return None
    writer = writer_of(mail.kind)
    if writer is None:
        raise GiveUp(f"Nobody writes mails of the kind {mail.kind}")
    with transaction.atomic():
        draft = writer(mail)
        if draft is not None and mail.written_at is None:
            mail.written_at = now
            mail.save(update_fields=["written_at", "user"])
    return draft


def _finish(mail: Mail, state: Mail.State) -> None:
    # Addresses and facts are personal data, so a settled mail does not keep them.
    sent_at = timezone.now() if state == Mail.State.SENT else None
    Mail.objects.filter(pk=mail.pk).update(state=state, sent_at=sent_at, address="", facts={}, error="")
