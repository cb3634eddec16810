"""Renders a draft as text and HTML, and hands it to the mail server. All tries share one Message-ID."""

from email.utils import parseaddr

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string

from aimessage.mail.kinds import Draft
from aimessage.mail.models import Mail


def send(mail: Mail, draft: Draft) -> None:
    facts = {"product": settings.NAME, "public_url": settings.PUBLIC_URL, **draft.facts}
    message = EmailMultiAlternatives(
        subject=" ".join(_render(mail.kind, "subject.txt", facts).split()),
        body=_render(mail.kind, "txt", facts).strip() + "\n",
        from_email=settings.MAIL_FROM,
        to=[draft.to],
        headers={"Message-ID": message_id(mail), "Auto-Submitted": "auto-generated"},
    )
    message.attach_alternative(_render(mail.kind, "html", facts), "text/html")
    message.send()


def message_id(mail: Mail) -> str:
    domain = parseaddr(settings.MAIL_FROM)[1].rpartition("@")[2] or "localhost"
    return f"<{mail.uuid}@{domain}>"


def _render(kind: str, end: str, facts: dict[str, object]) -> str:
    engine = "mail-html" if end == "html" else "mail-text"
    return render_to_string(f"{kind}.{end}", facts, using=engine)
