"""What a reply is while it is written: shown to its asker, piece by piece."""

import time

from django.db import transaction

from assistant.events import record_delta
from assistant.markup import clean_answer
from assistant.models import Reply
from assistant.services.claiming import RENEW_EVERY, Lost, mine, renew

#: Seconds between two pieces, and between two looks whether the reply is still ours.
SHOW_EVERY, LOOK_EVERY = 0.3, 0.5


class Writer:
    """`watch(text)` takes what the model wrote so far; False once nobody waits for it any more."""

    def __init__(self, reply: Reply, *, opening: str) -> None:
        self.reply, self.opening = reply, opening
        self.shown = ""
        self.next_at = 0.0
        self.renew_at = time.monotonic() + RENEW_EVERY.total_seconds()
        if reply.text:  # of an attempt that broke off
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
                self._look(now)
                self.next_at = now + LOOK_EVERY
        except Lost:
            return False
        return True

    def _look(self, now: float) -> None:
        if now >= self.renew_at:
            renew(self.reply)
            self.renew_at = now + RENEW_EVERY.total_seconds()
        elif not mine(self.reply).exists():
            raise Lost

    def show(self, text: str) -> None:
        """Writes what can be seen by now, which goes on where the last piece ended or begins anew.

        Raises Lost.
        """
        offset = len(self.shown) if text.startswith(self.shown) else 0
        with transaction.atomic():
            renew(self.reply, text=text)
            if len(text) > offset:
                record_delta(self.reply, offset=offset, length=len(text) - offset)
        self.shown = self.reply.text = text
        self.renew_at = time.monotonic() + RENEW_EVERY.total_seconds()
