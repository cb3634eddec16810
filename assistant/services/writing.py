"""Shows a reply to its asker while it is written."""

import time

from django.db import transaction

from assistant.events import record_delta
from assistant.markup import clean_answer
from assistant.models import Reply
from assistant.services.claiming import RENEW_EVERY, LeaseLost, leased, renew

#: Seconds between two pieces of text, and between two checks of the lease.
SHOW_EVERY, LOOK_EVERY = 0.3, 0.5


class Writer:
    """`watch(text)` takes the model's text so far. It returns False once the lease is lost."""

    def __init__(self, reply: Reply, *, opening: str) -> None:
        self.reply, self.opening = reply, opening
        self.shown = ""
        self.next_at = 0.0
        self.renew_at = time.monotonic() + RENEW_EVERY.total_seconds()
        if reply.text:  # from an attempt that broke off
            self.show("")

    def watch(self, text: str) -> bool:
        now = time.monotonic()
        if now < self.next_at:
            return True
        try:
            shown = clean_answer(text, opening=self.opening, is_whole=False)
            if shown != self.shown:
                self.show(shown)
                self.next_at = now + SHOW_EVERY
            else:
                self._check_lease(now)
                self.next_at = now + LOOK_EVERY
        except LeaseLost:
            return False
        return True

    def _check_lease(self, now: float) -> None:
        if now >= self.renew_at:
            renew(self.reply)
            self.renew_at = now + RENEW_EVERY.total_seconds()
        elif not leased(self.reply).exists():
            raise LeaseLost

    def show(self, text: str) -> None:
        """Stores the text so far, and sends what is new of it. Raises LeaseLost."""
        # A text that does not continue the last one is sent from its start.
        offset = len(self.shown) if text.startswith(self.shown) else 0
        with transaction.atomic():
            renew(self.reply, text=text)
            if len(text) > offset:
                record_delta(self.reply, offset=offset, length=len(text) - offset)
        self.shown = self.reply.text = text
        self.renew_at = time.monotonic() + RENEW_EVERY.total_seconds()
