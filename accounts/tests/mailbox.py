"""What a mail program finds in the mails that tests have sent."""

import re

from django.core import mail as django_mail
from django.core.mail import EmailMultiAlternatives

from aimessage.jobs.running import run_due

CODE = re.compile(r"\b[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}\b")
TOKEN = re.compile(r"token=([\w-]{43})")


def deliver() -> list[EmailMultiAlternatives]:
    """The mails that the waiting jobs send."""
    django_mail.outbox.clear()
    run_due("mail")
    return list(django_mail.outbox)  # type: ignore[arg-type]


def token_in(message: EmailMultiAlternatives) -> str:
    return TOKEN.findall(str(message.body))[0]


def code_in(message: EmailMultiAlternatives) -> str:
    return CODE.findall(str(message.body))[0]


def undo_token() -> str:
    """What the mail about a deletion that is waiting undoes it with."""
    return token_in(deliver()[-1])
