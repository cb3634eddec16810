"""Answers a question: calls the provider and the tools, and handles failures."""

import logging
import random
from collections.abc import Sequence
from datetime import timedelta

from django.conf import settings
from django.db import DatabaseError
from django.utils import timezone

from assistant.context import build_prompt, estimate_prompt, opening_of
from assistant.failures import Failed, Refused, Rejected, Stopped, TooLong
from assistant.markup import CUT, clean_answer
from assistant.models import Profile, Reply, Step
from assistant.sentences import CANNOT_HELP, COULD_NOT
from assistant.services import allowance, breaker, handoff
from assistant.services.claiming import (
    LeaseLost,
    claim,
    leased,
    lock_conversation,
    mark_started,
    postpone,
    throttled_until,
)
from assistant.services.finishing import finish, skip_used_up
from assistant.services.writing import Writer
from assistant.tools.running import take_step
from assistant.turns import Completion, Prompt, estimate_tokens
from messaging.models import Block, Message

#: Seconds between tries, and the share by which they vary; the longest wait that a provider may ask for. Four
#: of those make a quarter of an hour.
DELAYS, JITTER, LONGEST_DELAY = (2, 8, 30, 120), 0.2, 225.0
#: After so many attempts the reply itself may be what kills the workers.
MOST_ATTEMPTS = 30
State = Reply.State

logger = logging.getLogger("aimessage.assistant")


def answer_reply(reply_id: int, *, holder: str) -> None:
    """Makes one attempt. Afterwards its outcome is stored, and the next try or question is enqueued."""
    reply = claim(reply_id, holder=holder)
    if reply is None:
        return
    try:
        _attempt(reply)
    except LeaseLost:
        logger.info("taken away: reply=%s attempt=%s", reply.pk, reply.attempt)


def _attempt(reply: Reply) -> None:
    if reason := _reason_to_skip(reply):
        finish(reply, State.SKIPPED, reason=reason)
        return
    if until := throttled_until(reply) or breaker.wait_until(reply.profile):
        postpone(reply, until)
        return
    mark_started(reply)
    try:
        text = _answer(reply)
    except allowance.UsedUp:
        skip_used_up(reply)
    except Refused as error:
        breaker.note_refusal(reply.profile, error.reason)
        _give_up(reply, error.reason)
    except (Rejected, TooLong) as error:
        # The provider works; only this question is refused.
        breaker.note_success(reply.profile)
        _give_up(reply, getattr(error, "reason", "too_long"))
    except Failed as error:
        breaker.note_failure(reply.profile)
        _fail(reply, error)
    except (LeaseLost, DatabaseError):
        raise
    except Exception:
        logger.exception("reply=%s cannot be answered", reply.pk)
        _fail(reply, Failed("error"))
    else:
        finish(reply, State.DONE, text=text)


def _reason_to_skip(reply: Reply) -> str:
    seen = Message.objects.visible_to(reply.profile.user)
    if not seen.filter(pk=reply.question_id).exists():
        return "question_deleted"
    if not reply.asker.is_active:
        return "asker_disabled"
    if Block.objects.between(reply.asker_id, reply.profile.user_id).exists():
        return "blocked"
    # The queue may still hold questions from before the assistant was switched off.
    is_open = Profile.objects.open_to(reply.asker).filter(pk=reply.profile_id)
    if not settings.ASSISTANT.on or not is_open.exists():
        return "not_open"
    if handoff.is_handed_over(reply.asker, reply.profile):
        return handoff.REASON
    return "given_up" if reply.attempt > MOST_ATTEMPTS else ""


def _fail(reply: Reply, error: Failed) -> None:
    failures = reply.failures + 1
    logger.warning("failed: reply=%s try=%s: %s", reply.pk, failures, error.reason)
    if failures > len(DELAYS):
        _give_up(reply, error.reason)
        return
    seconds = DELAYS[failures - 1] * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311  no secret
    seconds = max(seconds, min(error.after or 0.0, LONGEST_DELAY))
    postpone(reply, timezone.now() + timedelta(seconds=seconds), failures=failures, text="")


def _give_up(reply: Reply, reason: str) -> None:
    # This may be the assistant's first message, so it needs the disclosure.
    finish(reply, State.FAILED, text=_opening_if_first(reply) + COULD_NOT, reason=reason)


# --- The loop of calls and tools ------------------------------------------------------------------


def _answer(reply: Reply) -> str:
    opening = _opening_if_first(reply)
    writer = Writer(reply, opening=opening)
    steps = list(reply.steps.all())
    completion = _ask(reply, steps, writer)
    while completion.calls and len(steps) < settings.ASSISTANT.tool_rounds:
        step = take_step(reply, completion, steps, is_mine=lambda: _lock(reply))
        if step is None:
            raise LeaseLost
        steps.append(step)
        if not leased(reply).exists():  # a tool has handed the asker over to a person
            raise LeaseLost
        completion = _ask(reply, steps, writer)
    text = _final_text(completion, opening, used_tools=bool(steps))
    writer.show(text)
    return text


def _final_text(completion: Completion, opening: str, *, used_tools: bool) -> str:
    text = clean_answer(completion.text, opening=opening)
    if completion.finish == "content_filter" or (not text and (used_tools or completion.calls)):
        return clean_answer(CANNOT_HELP, opening=opening)
    if not text:
        raise Failed("empty")
    return clean_answer(completion.text + CUT, opening=opening) if completion.finish == "length" else text


def _lock(reply: Reply) -> bool:
    # The conversation first, as send_message does: a tool may send a message.
    lock_conversation(reply.conversation_id)
    return bool(leased(reply).select_for_update().exists())


def _opening_if_first(reply: Reply) -> str:
    said = Message.objects.filter(conversation=reply.conversation_id, sender=reply.profile.user_id)
    return "" if said.exists() else opening_of(reply.profile)


def _ask(reply: Reply, steps: Sequence[Step], writer: Writer) -> Completion:
    budget = settings.ASSISTANT.context_tokens
    try:
        return _call(reply, build_prompt(reply, steps, tokens=budget), writer)
    except TooLong:
        return _call(reply, build_prompt(reply, steps, tokens=budget // 2), writer)


def _call(reply: Reply, prompt: Prompt, writer: Writer) -> Completion:
    # Imported only for a call: the library takes 40 MB.
    from assistant import provider

    estimate = estimate_prompt(prompt)
    allowance.reserve(reply, estimate + settings.ASSISTANT.max_tokens)
    used = (0, 0)
    try:
        completion = provider.ask(prompt, watch=writer.watch)
        used = _used(completion, estimate)
    except Stopped as error:
        used = _used(error.completion, estimate)
        raise LeaseLost from error
    finally:
        allowance.settle(reply, *used)
    breaker.note_success(reply.profile)
    return completion


def _used(completion: Completion, estimate: int) -> tuple[int, int]:
    # Our own estimate, if the server does not count.
    tokens_in, tokens_out = completion.tokens_in, completion.tokens_out
    written = completion.text + "".join(call.name + call.arguments for call in completion.calls)
    return (
        estimate if tokens_in is None else tokens_in,
        estimate_tokens(written) if tokens_out is None else tokens_out,
    )
