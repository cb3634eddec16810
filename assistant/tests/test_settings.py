from dataclasses import asdict
from decimal import Decimal

import pytest
from django.core.exceptions import ImproperlyConfigured
from pytest_django import Settings

from assistant.settings import OPENAI, read_assistant

NAMES = [
    *("MODEL", "URL", "KEY", "HISTORY", "CONTEXT_TOKENS", "MAX_TOKENS", "TIMEOUT", "SYNC_SECONDS"),
    *("TOOL_ROUNDS", "STREAM", "TOKENS_PER_DAY", "TOKENS_PER_DAY_TOTAL", "PRICE_IN", "PRICE_OUT"),
    "KEEP_DAYS",
]
ORIGINALS = ["LITELLM_MODEL", "LITELLM_BASEURL", "LITELLM_API_KEY", "CHAT_HISTORY_MAX"]


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [*(f"AI_MESSAGE_ASSISTANT_{name}" for name in NAMES), *ORIGINALS]:
        monkeypatch.delenv(name, raising=False)


def test_it_is_off_until_model_and_provider_are_set(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not read_assistant().on
    monkeypatch.setenv("AI_MESSAGE_ASSISTANT_MODEL", "gpt-x")
    assert not read_assistant().on
    monkeypatch.setenv("AI_MESSAGE_ASSISTANT_KEY", "sk-1")
    found = read_assistant()
    assert (found.on, found.url, found.model) == (True, OPENAI, "gpt-x")
    monkeypatch.delenv("AI_MESSAGE_ASSISTANT_KEY")
    monkeypatch.setenv("AI_MESSAGE_ASSISTANT_URL", "http://127.0.0.1:11434/v1/")
    found = read_assistant()
    assert (found.on, found.url) == (True, "http://127.0.0.1:11434/v1")
    monkeypatch.delenv("AI_MESSAGE_ASSISTANT_MODEL")
    assert not read_assistant().on


def test_what_nobody_has_set(settings: Settings) -> None:
    assert settings.JOB_QUEUES["assistant"] == 4
    assert asdict(read_assistant()) == {
        "model": "",
        "url": OPENAI,
        "key": "",
        "history": 50,
        "context_tokens": 8000,
        "max_tokens": 800,
        "timeout": 60,
        "sync_seconds": 25,
        "tool_rounds": 6,
        "stream": "auto",
        "tokens_per_day": 50_000,
        "tokens_per_day_total": 2_000_000,
        "price_in": 0,
        "price_out": 0,
        "keep_days": 30,
        "on": False,
    }


def test_the_originals_names_are_read_where_ours_are_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LITELLM_MODEL", "openai/qwen3")
    monkeypatch.setenv("LITELLM_BASEURL", "http://proxy:4000")
    monkeypatch.setenv("LITELLM_API_KEY", "sk-2")
    monkeypatch.setenv("CHAT_HISTORY_MAX", "20")
    found = read_assistant()
    assert found.on
    assert (found.model, found.url, found.key, found.history) == ("qwen3", "http://proxy:4000", "sk-2", 20)
    monkeypatch.setenv("AI_MESSAGE_ASSISTANT_MODEL", "openai/gpt-x")
    monkeypatch.setenv("AI_MESSAGE_ASSISTANT_HISTORY", "30")
    monkeypatch.setenv("AI_MESSAGE_ASSISTANT_PRICE_IN", "0.15")
    found = read_assistant()
    assert (found.model, found.history, found.price_in) == ("openai/gpt-x", 30, Decimal("0.15"))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AI_MESSAGE_ASSISTANT_URL", "api.openai.com/v1"),
        ("AI_MESSAGE_ASSISTANT_URL", "ftp://example.org"),
        ("AI_MESSAGE_ASSISTANT_URL", "http://key:secret@example.org"),
        ("AI_MESSAGE_ASSISTANT_URL", "http://example.org:99999"),
        ("AI_MESSAGE_ASSISTANT_URL", "http://[::1"),
        ("LITELLM_BASEURL", "proxy"),
        ("AI_MESSAGE_ASSISTANT_HISTORY", "-1"),
        ("CHAT_HISTORY_MAX", "many"),
        ("AI_MESSAGE_ASSISTANT_SYNC_SECONDS", "60"),
        ("AI_MESSAGE_ASSISTANT_STREAM", "maybe"),
        ("AI_MESSAGE_ASSISTANT_PRICE_IN", "free"),
        ("AI_MESSAGE_ASSISTANT_PRICE_IN", "NaN"),
        ("AI_MESSAGE_ASSISTANT_PRICE_IN", "-1"),
    ],
)
def test_a_wrong_value_stops_the_start(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ImproperlyConfigured, match=name) as raised:
        read_assistant()
    assert "secret" not in str(raised.value)
