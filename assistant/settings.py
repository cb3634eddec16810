"""Reads the assistant's settings; aimessage/settings.py has them as ASSISTANT."""

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from urllib.parse import urlsplit

from aimessage.environment import read_choice, read_described, read_int, read_text

#: The URL if only a key is set.
OPENAI = "https://api.openai.com/v1"


@dataclass(frozen=True)
class AssistantSettings:
    model: str
    #: The base URL; calls go to `/chat/completions` below it.
    url: str
    key: str
    #: Messages and tokens of the conversation that a call contains at most.
    history: int
    context_tokens: int
    #: Tokens of one answer.
    max_tokens: int
    #: Seconds that one call to the provider may take.
    timeout: int
    #: Seconds that POST /messages/ai waits; proxies and gunicorn give up after 60.
    sync_seconds: int
    tool_rounds: int
    #: "auto", "on" or "off".
    stream: str
    #: Limits for one user, and for all users together, in a day of UTC; 0 means no limit.
    tokens_per_day: int
    tokens_per_day_total: int
    #: The price of a million tokens.
    price_in: Decimal
    price_out: Decimal
    #: Days after which the steps of tools are deleted.
    keep_days: int
    #: Whether a provider is configured, so that there is an assistant.
    on: bool


def read_assistant() -> AssistantSettings:
    """Raises ImproperlyConfigured. Falls back to the variables of the original backend."""
    model = read_text("AI_MESSAGE_ASSISTANT_MODEL").strip()
    # LiteLLM's prefix stands for OpenAI's API. Every variable is read, so that each counts as known.
    original_model = read_text("LITELLM_MODEL").strip().removeprefix("openai/")
    url = read_described("AI_MESSAGE_ASSISTANT_URL", "", parse_url)
    original_url = read_described("LITELLM_BASEURL", "", parse_url)
    key = read_text("AI_MESSAGE_ASSISTANT_KEY").strip()
    original_key = read_text("LITELLM_API_KEY").strip()
    history = read_int("CHAT_HISTORY_MAX", 50, high=1000)
    return AssistantSettings(
        model=model or original_model,
        url=url or original_url or OPENAI,
        key=key or original_key,
        history=read_int("AI_MESSAGE_ASSISTANT_HISTORY", history, high=1000),
        context_tokens=read_int("AI_MESSAGE_ASSISTANT_CONTEXT_TOKENS", 8000, low=500, high=10**6),
        max_tokens=read_int("AI_MESSAGE_ASSISTANT_MAX_TOKENS", 800, low=16, high=100_000),
        timeout=read_int("AI_MESSAGE_ASSISTANT_TIMEOUT", 60, low=1, high=3600),
        sync_seconds=read_int("AI_MESSAGE_ASSISTANT_SYNC_SECONDS", 25, low=1, high=55),
        tool_rounds=read_int("AI_MESSAGE_ASSISTANT_TOOL_ROUNDS", 6, high=20),
        stream=read_choice("AI_MESSAGE_ASSISTANT_STREAM", "auto", "on", "off"),
        tokens_per_day=read_int("AI_MESSAGE_ASSISTANT_TOKENS_PER_DAY", 50_000),
        tokens_per_day_total=read_int("AI_MESSAGE_ASSISTANT_TOKENS_PER_DAY_TOTAL", 2_000_000),
        price_in=read_described("AI_MESSAGE_ASSISTANT_PRICE_IN", "0", parse_price),
        price_out=read_described("AI_MESSAGE_ASSISTANT_PRICE_OUT", "0", parse_price),
        keep_days=read_int("AI_MESSAGE_ASSISTANT_KEEP_DAYS", 30, low=1, high=3650),
        on=bool((model or original_model) and (url or original_url or key or original_key)),
    )


def parse_url(raw: str) -> str:
    """Returns the URL without a slash at its end. Raises ValueError with a text for read_described."""
    try:
        parts = urlsplit(raw)
        parts.port  # noqa: B018  raises ValueError for an invalid port
    except ValueError:
        raise ValueError("has a host or port that is none") from None
    if not raw:
        return ""
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("must be written as https://api.openai.com/v1")
    if parts.username or parts.password:
        raise ValueError("must hold no password: AI_MESSAGE_ASSISTANT_KEY does")
    return raw.rstrip("/")


def parse_price(raw: str) -> Decimal:
    try:
        price = Decimal(raw)
    except InvalidOperation:
        price = Decimal("NaN")
    if not (price.is_finite() and 0 <= price <= 10**6):
        raise ValueError("must be the price of a million tokens, as 0.15")
    return price
