"""Calls the provider, any server with OpenAI's chat completions. No other module knows that API.

Only job workers import it. All calls of a process share one event loop, in a thread of its own, where a call
can be cancelled at any moment, whatever it waits for. Its connection is closed with it.
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
from typing import TYPE_CHECKING, Any

import openai
from django.conf import settings

from aimessage.jobs.retries import parse_retry_after
from assistant.failures import Failed, Refused, Rejected, Stopped, TooLong
from assistant.joining import CallJoiner
from assistant.turns import Completion, Prompt, Turn

if TYPE_CHECKING:
    from openai.types.chat import ChatCompletion, ChatCompletionChunk

#: Seconds between two calls of `watch`.
LOOK_EVERY = 0.1
#: Seconds during which a server that cannot stream is not asked to.
PLAIN_FOR = 3600.0
#: One broken stream may be the network's fault; after two in a row the server cannot stream.
BROKEN_STREAMS = 2
#: Characters; a longer answer counts as endless.
LONGEST = 100_000
#: Headers in which the library would describe this machine to the provider.
_SILENT = ("Lang", "Package-Version", "OS", "Arch", "Runtime", "Runtime-Version", "Async")
_SILENT_EACH_TIME = ("Retry-Count", "Read-Timeout")
_REFUSED = {401, 403, 404}
_TEMPORARY = {408, 409, 425, 429}

logger = logging.getLogger("aimessage.assistant")


class _Memory:
    """What this process has learned about the server."""

    plain_until = 0.0
    #: Streams in a row that broke off.
    broken_streams = 0
    #: OpenAI's newer models accept only `max_completion_tokens`, other servers only this older name.
    limit = "max_tokens"


memory = _Memory()


def ask(prompt: Prompt, *, watch: Callable[[str], bool]) -> Completion:
    """Returns the provider's answer to `prompt`.

    Calls `watch` several times a second with the text so far, and ends the call when it returns False.
    Raises the exceptions of failures.py.
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
        # Once more, in the same attempt.
        completion = _follow(prompt, watch, stream=False)
        memory.broken_streams += 1
        if memory.broken_streams >= BROKEN_STREAMS:
            memory.plain_until, memory.broken_streams = time.monotonic() + PLAIN_FOR, 0
    return completion


class _NoStream(Exception):
    """A stream broke off: it gave no reason for its end."""


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
        # One's own server may need no key, but the library requires one.
        api_key=key or "none",
        # Otherwise the library reads them from the environment, where they are for other programs.
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
        # Servers can make the library raise anything: by HTML, half a JSON, or values of other types.
        logger.info("The provider's answer cannot be read: %s", type(error).__name__)
        raise Failed("garbage") from error


async def _call(prompt: Prompt, completion: Completion, *, stream: bool) -> None:
    body = _body(prompt)
    client = _client(settings.ASSISTANT.url, settings.ASSISTANT.key)
    if not stream:
        _read_message(await client.chat.completions.create(**body), completion)
        return
    chunks = await client.chat.completions.create(**body, stream=True, stream_options={"include_usage": True})
    joiner = CallJoiner()
    async with chunks:
        async for chunk in chunks:
            _read_chunk(chunk, completion, joiner)
    completion.calls = joiner.calls()
    if not completion.finish:
        raise _NoStream


# The library does not validate answers: any field may be missing, or have another type than declared.


def _read_chunk(chunk: "ChatCompletionChunk", completion: Completion, joiner: CallJoiner) -> None:
    _read_usage(chunk, completion)
    # The last chunk has only the usage.
    for choice in (chunk.choices or [])[:1]:
        if choice.delta is not None:
            text = getattr(choice.delta, "content", None)
            completion.text += text if isinstance(text, str) else ""
            joiner.add(choice.delta.tool_calls)
        if isinstance(choice.finish_reason, str):
            completion.finish = choice.finish_reason
    if len(completion.text) > LONGEST:
        raise Failed("endless")


def _read_message(answer: "ChatCompletion", completion: Completion) -> None:
    choice = answer.choices[0]
    text = choice.message.content
    completion.text = text if isinstance(text, str) else ""
    joiner = CallJoiner()
    for call in choice.message.tool_calls or ():
        joiner.add_whole(call)
    completion.calls = joiner.calls()
    completion.finish = choice.finish_reason if isinstance(choice.finish_reason, str) else "stop"
    _read_usage(answer, completion)
    if len(completion.text) > LONGEST:
        raise Failed("endless")


def _read_usage(answer: "ChatCompletion | ChatCompletionChunk", completion: Completion) -> None:
    usage = getattr(answer, "usage", None)
    for name, source in (("tokens_in", "prompt_tokens"), ("tokens_out", "completion_tokens")):
        count = getattr(usage, source, None)
        if type(count) is int and 0 <= count < 10**8:
            setattr(completion, name, count)


# --- What is sent ---------------------------------------------------------------------------------


def _body(prompt: Prompt) -> dict[str, Any]:
    body: dict[str, Any] = {
        "extra_headers": {f"X-Stainless-{name}": openai.Omit() for name in _SILENT_EACH_TIME},
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


def _message(turn: Turn) -> dict[str, object]:
    if turn.role == "tool":
        return {"role": "tool", "tool_call_id": turn.call_id, "content": turn.content}
    message: dict[str, object] = {"role": turn.role, "content": turn.content}
    if turn.calls:
        message["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in turn.calls
        ]
    return message


# --- What went wrong ------------------------------------------------------------------------------


def _wants_other_limit(error: openai.BadRequestError) -> bool:
    if memory.limit != "max_tokens" or "max_completion_tokens" not in _said(error):
        return False
    # For later calls, too.
    memory.limit = "max_completion_tokens"
    return True


def _read_status(error: openai.APIStatusError) -> Exception:
    status, said = error.status_code, _said(error)
    if status == 429 and "insufficient_quota" in said:
        return Refused("insufficient_quota")
    if status in _REFUSED:
        return Refused(str(status))
    if status in _TEMPORARY or status >= 500:
        after = parse_retry_after(error.response.headers.get("retry-after"))
        return Failed(f"status_{status}", after=after)
    if "context_length" in said or "context length" in said or "context size" in said:
        return TooLong()
    return Rejected(f"status_{status}")


def _said(error: openai.APIStatusError) -> str:
    try:
        return json.dumps(error.body).lower()
    except (TypeError, ValueError):
        return ""
