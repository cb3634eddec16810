"""Reads the variables AI_MESSAGE_TWILIO_…. Without AI_MESSAGE_TWILIO_ACCOUNT, SMS and WhatsApp are off."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import phonenumbers
from django.core.exceptions import ImproperlyConfigured

from aimessage.environment import read_choice, read_described, read_int, read_text

_ACCOUNT = re.compile(r"AC[0-9a-fA-F]{32}")
_API_KEY = re.compile(r"(SK[0-9a-fA-F]{32}):(\S{8,})")
_KEY_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_SENDER = re.compile(r"(?:whatsapp:)?\+[1-9][0-9]{5,14}|[0-9]{3,8}")
_TEMPLATE = re.compile(r"HX[0-9a-fA-F]{32}")
_VERIFY = re.compile(r"VA[0-9a-fA-F]{32}")
_MIN_KEY_LENGTH = 16

Unknown = Literal["ignore", "invite", "contact"]


@dataclass(frozen=True)
class Twilio:
    """How we call Twilio, and how we recognize its requests."""

    account: str
    #: Account SID → its auth tokens; several while they are being rotated.
    tokens: Mapping[str, tuple[str, ...]] = field(default_factory=dict, repr=False)
    #: Key id → key.
    shared_keys: Mapping[str, str] = field(default_factory=dict, repr=False)
    #: An API key and its secret for calls to Twilio; None: the account's token is used.
    api_key: tuple[str, str] | None = field(default=None, repr=False)
    #: Our numbers, as `+15005550006` and `whatsapp:+15005550006`.
    numbers: tuple[str, ...] = ()
    url: str = "https://api.twilio.com"
    unknown: Unknown = "ignore"
    #: The username of the account that people write to; empty: the assistant.
    inbox: str = ""
    #: The regions to which codes are sent by SMS, as `DE`.
    countries: frozenset[str] = frozenset()
    template: str = ""
    verify: str = ""
    max_parts: int = 4
    sends_per_day: int = 1000
    #: Multiplies all waits before another try; tests lower it.
    pace: float = 1.0

    def number_for(self, channel: str) -> str | None:
        is_whatsapp = channel == "whatsapp"
        return next((one for one in self.numbers if one.startswith("whatsapp:") == is_whatsapp), None)


def read_twilio(*, has_public_url: bool, has_assistant: bool, debug: bool = False) -> Twilio | None:
    """None if Twilio is off. Raises ImproperlyConfigured if it is on and a setting it needs is missing."""
    account = read_described("AI_MESSAGE_TWILIO_ACCOUNT", read_text("TWILIO_ACCOUNT_SID"), parse_account)
    tokens = read_described(
        "AI_MESSAGE_TWILIO_AUTH_TOKENS",
        read_text("TWILIO_AUTH_TOKEN"),
        lambda raw: parse_tokens(raw, account=account),
    )
    shared_keys = read_described("AI_MESSAGE_TWILIO_SHARED_KEYS", "", parse_shared_keys)
    api_key = read_described("AI_MESSAGE_TWILIO_API_KEY", "", parse_api_key)
    numbers = read_described("AI_MESSAGE_TWILIO_FROM", read_text("TWILIO_PHONE_NUMBER"), parse_numbers)
    countries = read_described("AI_MESSAGE_TWILIO_COUNTRIES", "", parse_countries)
    found = Twilio(
        account=account,
        tokens=tokens,
        shared_keys=shared_keys,
        api_key=api_key,
        numbers=numbers,
        url=read_described("AI_MESSAGE_TWILIO_URL", Twilio.url, parse_api_url),
        unknown=read_choice("AI_MESSAGE_TWILIO_UNKNOWN", "ignore", "invite", "contact"),  # type: ignore[arg-type]
        inbox=read_text("AI_MESSAGE_TWILIO_INBOX").strip(),
        countries=countries or countries_of(numbers),
        template=read_described("AI_MESSAGE_TWILIO_TEMPLATE", "", _sid(_TEMPLATE, "a template as HX…")),
        verify=read_described("AI_MESSAGE_TWILIO_VERIFY", "", _sid(_VERIFY, "a Verify service as VA…")),
        max_parts=read_int("AI_MESSAGE_TWILIO_MAX_PARTS", 4, low=1, high=10),
        sends_per_day=read_int("AI_MESSAGE_TWILIO_SENDS_PER_DAY", 1000, low=1, high=10**7),
        pace=read_described("AI_MESSAGE_TWILIO_PACE", "1", float) if debug else 1.0,
    )
    if not account:
        return None
    if not tokens and not shared_keys:
        raise ImproperlyConfigured(
            "AI_MESSAGE_TWILIO_AUTH_TOKENS must be set where AI_MESSAGE_TWILIO_ACCOUNT is: without the"
            " account's auth token nobody can tell Twilio's requests from others."
        )
    if account not in tokens and not api_key:
        raise ImproperlyConfigured(
            "AI_MESSAGE_TWILIO_API_KEY must be set where AI_MESSAGE_TWILIO_AUTH_TOKENS has no token of"
            " AI_MESSAGE_TWILIO_ACCOUNT."
        )
    if not has_public_url:
        raise ImproperlyConfigured(
            "AI_MESSAGE_PUBLIC_URL must be set where AI_MESSAGE_TWILIO_ACCOUNT is: Twilio signs the address"
            " that it calls, as https://chat.example.org or https://example.org/api."
        )
    if not found.inbox and not has_assistant:
        raise ImproperlyConfigured(
            "AI_MESSAGE_TWILIO_INBOX must name an account where AI_MESSAGE_TWILIO_ACCOUNT is set and there is"
            " no assistant: it is who people write to."
        )
    return found


def parse_account(raw: str) -> str:
    if raw and not _ACCOUNT.fullmatch(raw):
        raise ValueError("must be the account's SID, AC and 32 hexadecimal digits")
    return raw


def parse_tokens(raw: str, *, account: str) -> dict[str, tuple[str, ...]]:
    """A plain `token` belongs to `account`, `AC…:token` to the account before the colon."""
    found: dict[str, tuple[str, ...]] = {}
    for part in _parts(raw):
        owner, colon, token = part.rpartition(":")
        if (colon and not _ACCOUNT.fullmatch(owner)) or len(token) < _MIN_KEY_LENGTH:
            raise ValueError("must list auth tokens, each as the token alone or as AC…:token")
        found[owner or account] = (*found.get(owner or account, ()), token)
    return found


def parse_shared_keys(raw: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in _parts(raw):
        name, _, key = part.partition(":")
        if not _KEY_ID.fullmatch(name) or len(key) < _MIN_KEY_LENGTH or name in found:
            raise ValueError("must list shared keys, each once and as id:key")
        found[name] = key
    return found


def parse_api_key(raw: str) -> tuple[str, str] | None:
    if not raw:
        return None
    match = _API_KEY.fullmatch(raw)
    if match is None:
        raise ValueError("must be an API key and its secret, as SK…:secret")
    return match[1], match[2]


def parse_numbers(raw: str) -> tuple[str, ...]:
    numbers = tuple(_parts(raw))
    if not all(_SENDER.fullmatch(number) for number in numbers):
        raise ValueError("must list numbers of ours, as +15005550006, whatsapp:+15005550006")
    return numbers


def parse_countries(raw: str) -> frozenset[str]:
    regions = frozenset(part.upper() for part in _parts(raw))
    if not regions <= phonenumbers.SUPPORTED_REGIONS:
        raise ValueError("must list countries by their two letters, as DE, AT, CH")
    return regions


def countries_of(numbers: tuple[str, ...]) -> frozenset[str]:
    return frozenset(filter(None, (country_of(number.removeprefix("whatsapp:")) for number in numbers)))


def country_of(number: str) -> str | None:
    """The region of a number in E.164 form; `US` for a +1 number that belongs to no other region."""
    try:
        parsed = phonenumbers.parse(number)
    except phonenumbers.NumberParseException:
        return None
    region = phonenumbers.region_code_for_number(parsed)
    return region or phonenumbers.region_code_for_country_code(parsed.country_code or 0)


def parse_api_url(raw: str) -> str:
    if not re.fullmatch(r"https?://[^\s/?#@]+(?:/[^\s?#]*)?", raw):
        raise ValueError("must be written as https://api.twilio.com")
    return raw.rstrip("/")


def _sid(pattern: re.Pattern[str], what: str) -> Callable[[str], str]:
    def parse(raw: str) -> str:
        if raw and not pattern.fullmatch(raw):
            raise ValueError(f"must be {what} and 32 hexadecimal digits")
        return raw

    return parse


def _parts(raw: str) -> list[str]:
    return [part.strip() for part in raw.split(",") if part.strip()]
