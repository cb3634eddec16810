"""Answering a question: the calls to the provider, the tools in between, and what comes of failures."""

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
    Lost,
    begin,
    claim,
    lock_conversation,
    mine,
    put_off,
    throttled_until,
)
from assistant.services.finishing import finish, skip_used_up
from assistant.services.writing import Writer
from assistant.tools.running import take_step
from assistant.turns import Completion, Prompt, estimate_tokens
from messaging.models import Block, Message

#: Seconds between the tries, and by how much they vary; the longest that a provider may have us wait, which
#: makes a quarter of an hour in all.
DELAYS, JITTER, LONGEST_DELAY = (2, 8, 30, 120), 0.2, 225.0
#: Workers that may have died of one reply.
MOST_ATTEMPTS = 30
State = Reply.State

logger = logging.getLogger("aimessage.assistant")


def answer_reply(reply_id: int, *, holder: str) -> None:
    """One try; whatever it comes to, it is written down, and the next try or question has its job."""
    reply = claim(reply_id, holder=holder)
    if reply is None:
        return
    try:
        _try(reply)
    except Lost:
        logger.info("taken away: reply=%s attempt=%s", reply.pk, reply.attempt)


def _try(reply: Reply) -> None:
    if reason := _why_not(reply):
        finish(reply, State.SKIPPED, reason=reason)
        return
    if until := throttled_until(reply) or breaker.wait_until(reply.profile):
        put_off(reply, until)
        return
    begin(reply)
    try:
        text = _answer(reply)
    except allowance.UsedUp:
        skip_used_up(reply)
    except Refused as error:
        breaker.note_refusal(reply.profile, error.reason)
        _give_up(reply, error.reason)
    except (Rejected, TooLong) as error:
        # The provider is well, and this question is not for it.
        breaker.note_success(reply.profile)
        _give_up(reply, getattr(error, "reason", "too_long"))
    except Failed as error:
        breaker.note_failure(reply.profile)
        _fail(reply, error)
    except (Lost, DatabaseError):
        raise
    except Exception:
        logger.exception("reply=%s cannot be answered", reply.pk)
        _fail(reply, Failed("error"))
    else:
        finish(reply, State.DONE, text=text)


def _why_not(reply: Reply) -> str:
    """Why nobody waits for the answer any more, as a word."""
    seen = Message.objects.visible_to(reply.profile.user)
    if not seen.filter(pk=reply.question_id).exists():
        return "question_deleted"
    if not reply.asker.is_active:
        return "asker_disabled"
    if Block.objects.between(reply.asker_id, reply.profile.user_id).exists():
        return "blocked"
    # What was asked before the settings took the assistant away may still be in the queue.
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
    put_off(reply, timezone.now() + timedelta(seconds=seconds), failures=failures, text="")


def _give_up(reply: Reply, reason: str) -> None:
    # It may be the first that is heard of the assistant.
    finish(reply, State.FAILED, text=_opening(reply) + COULD_NOT, reason=reason)


# --- The loop of calls and tools ------------------------------------------------------------------


def _answer(reply: Reply) -> str:
    """The text of the answer. Raises what failures.py has, UsedUp and Lost."""
    opening = _opening(reply)
    writer = Writer(reply, opening=opening)
    steps = list(reply.steps.all())
    completion = _ask(reply, steps, writer)
    while completion.calls and len(steps) < settings.ASSISTANT.tool_rounds:
        step = take_step(reply, completion, steps, is_mine=lambda: _lock(reply))
        if step is None:
            raise Lost
        steps.append(step)
        if not mine(reply).exists():  # a tool has handed the asker over to a person
            raise Lost
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
    """Locks the reply for a step, and says whether it is still ours."""
    # First, as sending does: a tool may send.
    lock_conversation(reply.conversation_id)
    return bool(mine(reply).select_for_update().exists())


def _opening(reply: Reply) -> str:
    """The disclosure, before the first answer in a conversation."""
    said = Message.objects.filter(conversation=reply.conversation_id, sender=reply.profile.user_id)
    return "" if said.exists() else opening_of(reply.profile)


def _ask(reply: Reply, steps: Sequence[Step], writer: Writer) -> Completion:
    budget = settings.ASSISTANT.context_tokens
    try:
        return _call(reply, build_prompt(reply, steps, tokens=budget), writer)
    except TooLong:
        return _call(reply, build_prompt(reply, steps, tokens=budget // 2), writer)


def _call(reply: Reply, prompt: Prompt, writer: Writer) -> Completion:
    # Imported where a call is made: it brings 40 MB along.
    from assistant import provider

    estimate = estimate_prompt(prompt)
    allowance.reserve(reply, estimate + settings.ASSISTANT.max_tokens)
    used = (0, 0)
    try:
        completion = provider.ask(prompt, watch=writer.watch)
        used = _used(completion, estimate)
    except Stopped as error:
        used = _used(error.completion, estimate)
        raise Lost from error
    finally:
        allowance.settle(reply, *used)
    breaker.note_success(reply.profile)
    return completion


def _used(completion: Completion, estimate: int) -> tuple[int, int]:
    """Tokens in and out, by our own estimate where the server does not count."""
    tokens_in, tokens_out = completion.tokens_in, completion.tokens_out
    written = completion.text + "".join(call.name + call.arguments for call in completion.calls)
    return (
        estimate if tokens_in is None else tokens_in,
        estimate_tokens(written) if tokens_out is None else tokens_out,
    )
