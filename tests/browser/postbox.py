"""A mail server on loopback, and what a mail program makes of what it received."""

import email
import re
import time
from email.message import EmailMessage
from email.policy import default
from typing import Any

from aiosmtpd.controller import Controller

#: Seconds that a mail may take.
PATIENCE = 30.0
LINK = re.compile(r"https?://\S*/account/\S+")


class Postbox:
    def __init__(self, port: int) -> None:
        self.mails: list[EmailMessage] = []
        self.port = port
        self.server = Controller(self, hostname="127.0.0.1", port=port)

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802  aiosmtpd's
        mail: Any = email.message_from_bytes(envelope.content, policy=default)
        self.mails.append(mail)
        return "250 OK"

    def take(self, address: str, subject: str) -> str:
        """The text of the mail to `address` about `subject`, once it is there; it is taken out."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            for mail in self.mails:
                if mail["To"] == address and subject in mail["Subject"]:
                    self.mails.remove(mail)
                    body = mail.get_body(("plain",))
                    assert body is not None
                    return str(body.get_content())
            time.sleep(0.05)
        waiting = [(mail["To"], mail["Subject"]) for mail in self.mails]
        raise AssertionError(f"no mail to {address} about {subject!r}, but {waiting}")


def link_in(text: str) -> str:
    return LINK.findall(text)[0]
