"""What becomes of what servers really say; none of it needs a database."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from pytest_django import Settings

from assistant import provider
from assistant.failures import Failed, Refused, Rejected, Stopped, TooLong
from assistant.tests.stub import Answers, Behaviour, Cuts, Hangs, Says, Stub, problem
from assistant.turns import Completion, Prompt, Turn

pytestmark = pytest.mark.once

PROMPT = Prompt([Turn("system", "Be brief."), Turn("user", "Hi")], user="digest")
Ask = Callable[..., tuple[Completion, Stub]]


@pytest.fixture
def ask(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ask]:
    monkeypatch.setattr(provider, "memory", provider._Memory())
    stubs: list[Stub] = []

    def run(
        *behaviours: Behaviour, watch: Any = lambda text: True, **changes: Any
    ) -> tuple[Completion, Stub]:
        stub = stubs[0] if stubs else Stub(*behaviours).__enter__()
        stubs[:] = [stub]
        given = {"url": stub.url, "model": "gpt-x", "key": "sk-1", "on": True, **changes}
        settings.ASSISTANT = replace(settings.ASSISTANT, **given)
        try:
            return provider.ask(PROMPT, watch=watch), stub
        finally:
            run.stub = stub  # type: ignore[attr-defined]

    yield run
    for stub in stubs:
        stub.__exit__()


def test_it_streams_and_says_no_more_of_us_than_it_must(ask: Ask) -> None:
    seen: list[str] = []
    completion, stub = ask(
        Says("A longer answer, in pieces.", drip=0.1), watch=lambda text: seen.append(text) or True
    )

    assert (completion.text, completion.finish) == ("A longer answer, in pieces.", "stop")
    assert (completion.tokens_in, completion.tokens_out) == (100, 20)
    assert len(set(seen)) > 2
    assert all(completion.text.startswith(text) for text in seen)
    (request,) = stub.requests
    assert request == {
        "model": "gpt-x",
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}],
        "max_tokens": 800,
        "user": "digest",
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    (headers,) = stub.headers
    assert headers["authorization"] == "Bearer sk-1"
    assert headers["user-agent"] == "aimessage"
    assert not [name for name in headers if "stainless" in name or "organization" in name]


@pytest.mark.parametrize("stream", ["off", "on"])
@pytest.mark.parametrize("quirk", ["", "index0", "noid", "dict", "stop", "noindex", "lateid"])
def test_calls_come_whole_whatever_the_server_does(ask: Ask, stream: str, quirk: str) -> None:
    quirks = frozenset({quirk}) if quirk else frozenset()
    wanted = (("list_my_reports", {"status": "open"}), ("list_my_reports", {"status": "resolved"}))
    completion, _ = ask(Says("", calls=wanted, quirks=quirks), stream=stream)

    said = [(call.name, call.arguments) for call in completion.calls]
    assert said == [("list_my_reports", '{"status": "open"}'), ("list_my_reports", '{"status": "resolved"}')]
    assert len({call.id for call in completion.calls} - {""}) == 2


GARBAGE = {
    "html": Answers(200, "<html>Bad gateway</html>", "text/html"),
    "another object": Answers(200, '{"a": 1}'),
    "half an object": Answers(200, '{"id":'),
    "nothing": Answers(200, ""),
    "no choices": Answers(200, '{"id": "x", "choices": []}'),
    "a list": Answers(200, "[1]"),
    "a null choice": Answers(200, '{"choices": [null]}'),
    "no message": Answers(200, '{"choices": [{"index": 0, "finish_reason": "stop"}]}'),
}


@pytest.mark.parametrize("stream", ["off", "on", "auto"])
@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE.keys())
def test_garbage_is_a_failure(ask: Ask, garbage: Answers, stream: str) -> None:
    with pytest.raises(Failed):
        ask(garbage, stream=stream)


@pytest.mark.parametrize(
    "cut", [Cuts(), Cuts(chunked=False), Cuts(error=True), Cuts(0), Cuts(0, chunked=False)]
)
def test_a_stream_that_ends_without_a_reason_is_a_failure(ask: Ask, cut: Cuts) -> None:
    with pytest.raises(Failed):
        ask(cut, stream="on")
    with pytest.raises(Failed):
        ask(stream="auto")


def test_a_server_that_cannot_stream_is_asked_without_and_that_is_remembered(ask: Ask) -> None:
    def plain(request: dict[str, Any]) -> Behaviour:
        return Cuts(0, chunked=False) if request.get("stream") else Says("Plain.")

    for _ in range(3):
        completion, stub = ask(plain)
        assert completion.text == "Plain."
    assert [bool(request.get("stream")) for request in stub.requests] == [True, False, True, False, False]


@pytest.mark.parametrize("drips", [False, True])
def test_a_call_has_a_deadline_of_its_own(ask: Ask, drips: bool) -> None:
    began = time.monotonic()
    with pytest.raises(Failed, match="timeout"):
        ask(Hangs(drips), timeout=1)
    assert 0.9 < time.monotonic() - began < 2


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (problem(500), Failed),
        (problem(503), Failed),
        (problem(408), Failed),
        (problem(429, "rate_limit_exceeded"), Failed),
        (problem(429, "insufficient_quota"), Refused),
        (problem(401), Refused),
        (problem(403), Refused),
        (problem(404), Refused),
        (problem(400, "context_length_exceeded"), TooLong),
        (problem(400, message="the request exceeds the available context size"), TooLong),
        (problem(400, "bad"), Rejected),
        (problem(422), Rejected),
        (Answers(502, "<html>", "text/html"), Failed),
        (Answers(401, "no", "text/plain"), Refused),
        (Answers(307, "", headers=(("Location", "http://127.0.0.1:9/"),)), Failed),
    ],
)
def test_a_refusal_is_told_from_what_may_pass(ask: Ask, answer: Answers, expected: type[Exception]) -> None:
    with pytest.raises(expected) as raised:
        ask(answer)
    assert type(raised.value) is expected
    assert "secret" not in str(raised.value)


def test_it_heeds_how_long_to_wait(ask: Ask) -> None:
    with pytest.raises(Failed) as raised:
        ask(problem(429, **{"Retry-After": "3"}))
    assert raised.value.after == 3


def test_nobody_there_is_a_failure(settings: Settings) -> None:
    settings.ASSISTANT = replace(settings.ASSISTANT, url="http://127.0.0.1:9/v1", model="m", on=True)
    with pytest.raises(Failed, match="unreachable"):
        provider.ask(PROMPT, watch=lambda text: True)


@pytest.mark.parametrize("behaviour", [Says("x" * 600, drip=0.05), Says("x", delay=20), Hangs(), Hangs(True)])
def test_a_call_that_is_stopped_leaves_the_server_at_once(ask: Any, behaviour: Behaviour) -> None:
    began = time.monotonic()
    with pytest.raises(Stopped) as raised:
        ask(behaviour, watch=lambda text: time.monotonic() < began + 0.5)
    stopped = time.monotonic()
    while not ask.stub.left and time.monotonic() < stopped + 2:
        time.sleep(0.01)
    (left,) = ask.stub.left
    assert left - stopped < 1
    assert raised.value.completion.text != "x" * 600


def test_an_endless_answer_is_given_up(ask: Ask) -> None:
    for stream in ("on", "off"):
        with pytest.raises(Failed, match="endless"):
            ask(Says("x" * 200_000, size=10_000), stream=stream)


def test_newer_models_get_the_limit_under_its_new_name(ask: Ask) -> None:
    def new(request: dict[str, Any]) -> Behaviour:
        if "max_tokens" in request:
            return problem(400, "unsupported_parameter", "Use 'max_completion_tokens' instead.")
        return Says("New.")

    for _ in range(2):
        completion, stub = ask(new)
        assert completion.text == "New."
    limits = [request.get("max_completion_tokens") for request in stub.requests]
    assert limits == [None, 800, 800]
