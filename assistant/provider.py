"""The provider: any server that speaks OpenAI's chat completions. Nothing else here knows that dialect.

Imported where jobs run, and nowhere else. All calls of a process share one event loop, in a thread of its
own. There a call can be ended at any moment, whatever it waits for, and its connection is closed with it.
"""

import asyncio
import json
import logging
import time
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotYet
from functools import lru_cache
from threading import Lock, Thread
from typing import Any

import openai
from django.conf import settings

from aimessage.jobs.retries import parse_retry_after
from assistant.failures import Failed, Refused, Rejected, Stopped, TooLong
from assistant.joining import CallJoiner
from assistant.turns import Completion, Prompt, Turn

#: Seconds between two looks at what was written so far.
LOOK_EVERY = 0.1
#: Seconds for which a server that cannot stream is not asked to again.
PLAIN_FOR = 3600.0
#: One may have been cut on its way; a server that does so twice in a row cannot stream.
BROKEN_STREAMS = 2
#: Characters of an answer after which reading it makes no sense any more.
LONGEST = 100_000
#: What the library would tell the provider about this machine.
_SILENT = ("Lang", "Package-Version", "OS", "Arch", "Runtime", "Runtime-Version", "Async")
_SILENT_EACH_TIME = ("Retry-Count", "Read-Timeout")
_REFUSED = {401, 403, 404}
_PASSING = {408, 409, 425, 429}

logger = logging.getLogger("aimessage.assistant")


class _Memory:
    """What was found out about the server."""

    plain_until = 0.0
    #: Streams in a row that ended without a reason to.
    broken_streams = 0
    #: Newer models of OpenAI's take this name alone, other servers know the older one alone.
    limit = "max_tokens"


memory = _Memory()


def ask(prompt: Prompt, *, watch: Callable[[str], bool]) -> Completion:
    """What the provider says to `prompt`.

    `watch` is called several times a second, with the text so far; the call ends where it returns False.
    Raises what failures.py has.
    """
    streams = settings.ASSISTANT.stream
    if streams == "off" or (streams == "auto" and time.monotonic() < memory.plain_until):
        return _follow(prompt, watch, stream=False)
    try:
        completion = _follow(prompt, watch, stream=True)
        memory.broken_streams = 0
    except _NoStream as error:
        if streams == "on":
            raise Failed("cut_off") from error
        # In the same attempt, once.
        completion = _follow(prompt, watch, stream=False)
        memory.broken_streams += 1
        if memory.broken_streams >= BROKEN_STREAMS:
            memory.plain_until, memory.broken_streams = time.monotonic() + PLAIN_FOR, 0
    return completion


class _NoStream(Exception):
    """A stream ended without a reason to, or without anything in it."""


def _follow(prompt: Prompt, watch: Callable[[str], bool], *, stream: bool) -> Completion:
    completion = Completion()
    future = asyncio.run_coroutine_threadsafe(_complete(prompt, completion, stream=stream), _loop())
    while True:
        try:
            future.result(LOOK_EVERY)
            break
        except NotYet:
            if not _watch(watch, completion, future):
                raise Stopped(completion) from None
    watch(completion.text)
    return completion


def _watch(watch: Callable[[str], bool], completion: Completion, future: Future[None]) -> bool:
    try:
        goes_on = watch(completion.text)
    except BaseException:
        future.cancel()
        raise
    if not goes_on:
        future.cancel()
    return goes_on


_lock = Lock()
_running: list[asyncio.AbstractEventLoop] = []


def _loop() -> asyncio.AbstractEventLoop:
    with _lock:
        if not _running:
            loop = asyncio.new_event_loop()
            Thread(target=loop.run_forever, name="provider", daemon=True).start()
            _running.append(loop)
        return _running[0]


@lru_cache(maxsize=4)
def _client(url: str, key: str) -> openai.AsyncOpenAI:
    left_out: Any = openai.Omit()
    return openai.AsyncOpenAI(
        base_url=url,
        # A server of one's own needs none, the library does.
        api_key=key or "none",
        # The environment's are for other programs.
        organization="",
        project="",
        max_retries=0,
        default_headers={
            "User-Agent": "aimessage",
            "OpenAI-Organization": left_out,
            "OpenAI-Project": left_out,
            **{f"X-Stainless-{name}": left_out for name in _SILENT},
        },
    )


# --- One call, in the loop's thread ---------------------------------------------------------------


async def _complete(prompt: Prompt, completion: Completion, *, stream: bool) -> None:
    """Fills `completion`; raises as `ask` does, and _NoStream."""
    try:
        async with asyncio.timeout(settings.ASSISTANT.timeout):
            try:
                await _call(prompt, completion, stream=stream)
            except openai.BadRequestError as error:
                if not _wants_other_limit(error):
                    raise
                await _call(prompt, completion, stream=stream)
    except (Failed, Rejected, _NoStream):
        raise
    except TimeoutError as error:
        raise Failed("timeout") from error
    except openai.APIStatusError as error:
        raise _read_status(error) from error
    except openai.APIConnectionError as error:
        raise Failed("unreachable") from error
    except openai.APIError as error:
        raise Failed("broke_off") from error
    except Exception as error:
        # Whatever a server can make the libraries raise: HTML, half a JSON, other types.
        logger.info("The provider's answer cannot be read: %s", type(error).__name__)
        raise Failed("garbage") from error


async def _call(prompt: Prompt, completion: Completion, *, stream: bool) -> None:
    body = _body(prompt)
    client: Any = _client(settings.ASSISTANT.url, settings.ASSISTANT.key)
    if not stream:
        _read_message(await client.chat.completions.create(**body), completion)
        return
    options = {"include_usage": True}
    chunks = await client.chat.completions.create(**body, stream=True, stream_options=options)
    joiner = CallJoiner()
    async with chunks:
        async for chunk in chunks:
            _read_chunk(chunk, completion, joiner)
    completion.calls = joiner.calls()
    if not completion.finish:
        raise _NoStream


def _read_chunk(chunk: Any, completion: Completion, joiner: CallJoiner) -> None:
    _read_usage(chunk, completion)
    # The last one has the usage alone.
    for choice in (chunk.choices or [])[:1]:
        if choice.delta is not None:
            text = getattr(choice.delta, "content", None)
            completion.text += text if isinstance(text, str) else ""
            joiner.add(choice.delta.tool_calls)
        if isinstance(choice.finish_reason, str):
            completion.finish = choice.finish_reason
    if len(completion.text) > LONGEST:
        raise Failed("endless")


def _read_message(answer: Any, completion: Completion) -> None:
    choice = answer.choices[0]
    text = choice.message.content
    completion.text = text if isinstance(text, str) else ""
    joiner = CallJoiner()
    for call in choice.message.tool_calls or ():
        # Whole ones: two of them are two, whatever their ids.
        one = CallJoiner()
        one.add([call])
        joiner.take(one)
    completion.calls = joiner.calls()
    completion.finish = choice.finish_reason if isinstance(choice.finish_reason, str) else "stop"
    _read_usage(answer, completion)
    if len(completion.text) > LONGEST:
        raise Failed("endless")


def _read_usage(answer: Any, completion: Completion) -> None:
    usage = getattr(answer, "usage", None)
    for name, source in (("tokens_in", "prompt_tokens"), ("tokens_out", "completion_tokens")):
        count = getattr(usage, source, None)
        if type(count) is int and 0 <= count < 10**8:
            setattr(completion, name, count)


# --- What is sent ---------------------------------------------------------------------------------


def _body(prompt: Prompt) -> dict[str, Any]:
    left_out: Any = openai.Omit()
    body: dict[str, Any] = {
        "extra_headers": {f"X-Stainless-{name}": left_out for name in _SILENT_EACH_TIME},
        "model": settings.ASSISTANT.model,
        "messages": [_message(turn) for turn in prompt.turns],
        memory.limit: settings.ASSISTANT.max_tokens,
    }
    if prompt.user:
        body["user"] = prompt.user
    if prompt.tools:
        body["tools"] = [
            {
                "type": "function",
                "function": {
                    "name": tool.name,
                    "description": tool.description,
                    "parameters": dict(tool.parameters),
                },
            }
            for tool in prompt.tools
        ]
        if not prompt.may_call:
            body["tool_choice"] = "none"
    return body


def _message(turn: Turn) -> dict[str, Any]:
    if turn.role == "tool":
        return {"role": "tool", "tool_call_id": turn.call_id, "content": turn.content}
    message: dict[str, Any] = {"role": turn.role, "content": turn.content}
    if turn.calls:
        message["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in turn.calls
        ]
    return message


# --- What went wrong ------------------------------------------------------------------------------


def _wants_other_limit(error: openai.BadRequestError) -> bool:
    """Whether the server knows the limit by its other name alone; it is called so from then on."""
    if memory.limit != "max_tokens" or "max_completion_tokens" not in _said(error):
        return False
    memory.limit = "max_completion_tokens"
    return True


def _read_status(error: openai.APIStatusError) -> Exception:
    status, said = error.status_code, _said(error)
    if status == 429 and "insufficient_quota" in said:
        return Refused("insufficient_quota")
    if status in _REFUSED:
        return Refused(str(status))
    if status in _PASSING or status >= 500:
        after = parse_retry_after(error.response.headers.get("retry-after"))
        return Failed(f"status_{status}", after=after)
    if "context_length" in said or "context length" in said or "context size" in said:
        return TooLong()
    return Rejected(f"status_{status}")


def _said(error: openai.APIStatusError) -> str:
    """All that the server says of its refusal; for us, and nobody else."""
    try:
        return json.dumps(error.body).lower()
    except (TypeError, ValueError):
        return ""
