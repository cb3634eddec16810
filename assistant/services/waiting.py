"""Waits for an answer within a request, for clients of the former API.

A job worker answers, and the request polls the reply. It blocks a thread meanwhile, so only a part of the
threads may wait.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore

from django.conf import settings

from aimessage.api.problems import Conflict, Reason, Unavailable
from aimessage.jobs.locks import count_workers
from assistant.models import Reply
from assistant.services import handoff
from assistant.services.allowance import refuse_used_up
from messaging.models import Message

WILL_FOLLOW = Reason("The answer will follow in the conversation")
BUSY = Reason("Too many wait for answers of the assistant, try again soon")
CANCELLED = Reason("The reply was cancelled")
#: Seconds between two polls, and before we check that a worker is running.
LOOK_EVERY, ANYBODY_AFTER = 0.25, 3.0

_seats = BoundedSemaphore(max(1, settings.THREADS // 4))


@contextmanager
def seat() -> Iterator[None]:
    """Holds one of the limited places for waiting. Raises Unavailable at once if there is none."""
    seats = _seats
    if not seats.acquire(blocking=False):
        raise Unavailable(BUSY)
    try:
        yield
    finally:
        seats.release()


def wait_for_answer(question: Message) -> Message:
    """Returns the answer to `question`.

    Raises Unavailable if it does not come in time, TooManyRequests if the allowance is used up, and Conflict
    if the reply was cancelled before anything was written.
    """
    begun, asked = time.monotonic(), False
    while True:
        reply = Reply.objects.filter(question=question).first()
        if reply is None:  # a person answers
            raise Unavailable(WILL_FOLLOW)
        if not reply.is_open:
            return _answer_of(reply)
        waited = time.monotonic() - begun
        if waited >= settings.ASSISTANT.sync_seconds:
            raise Unavailable(WILL_FOLLOW)
        if waited >= ANYBODY_AFTER and not asked:
            asked = True
            if not count_workers():
                raise Unavailable(WILL_FOLLOW)
        time.sleep(LOOK_EVERY)


def _answer_of(reply: Reply) -> Message:
    if reply.reason == "used_up":
        raise refuse_used_up()
    if reply.reason == handoff.REASON:  # a person answers
        raise Unavailable(WILL_FOLLOW)
    answer = Message.objects.visible_to(reply.asker).filter(pk=reply.answer_id or 0).first()
    if answer is None:
        raise Conflict(CANCELLED)
    return answer
