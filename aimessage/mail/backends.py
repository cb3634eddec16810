"""A mail backend that writes files, for development and demos."""

import os
from collections.abc import Sequence
from pathlib import Path

from django.conf import settings
from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend
from django.utils import timezone


class FileBackend(BaseEmailBackend):
    """Writes one `.eml` file per mail, readable only by its owner. The file names sort by time."""

    def __init__(
        self, fail_silently: bool = False, *, file_path: str | Path | None = None, **of_servers: object
    ) -> None:
        super().__init__(fail_silently)
        self.folder = Path(file_path or settings.EMAIL_FILE_PATH or "outbox")

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for message in email_messages:
            content = message.message().as_bytes()
            unique = message.extra_headers.get("Message-ID", "").strip("<>").partition("@")[0]
            name = f"{timezone.now():%Y%m%d-%H%M%S-%f}-{unique or os.urandom(8).hex()}"
            # Renamed when it is complete, so that programs that watch the folder never read half a mail.
            unfinished = self.folder / f".{name}"
            with open(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(content)
            unfinished.rename(self.folder / f"{name}.eml")
        return len(email_messages)
