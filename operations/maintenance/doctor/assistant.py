"""Checks whether the assistant's provider answers, and knows the model."""

from ipaddress import ip_address
from urllib.parse import urlsplit

import orjson
import urllib3
from django.conf import settings

from assistant.models import Profile
from operations.maintenance.doctor.findings import Finding, error, ok, skipped, warning

TIMEOUT = 10.0
#: Bytes that are read of a list of models; a proxy for many providers lists hundreds.
LONGEST = 2_000_000
MODELS_NAMED = 5
#: Tokens of a short question with the prompt and the tools.
ONE_CALL = 1500


def configured() -> Finding:
    chosen = settings.ASSISTANT
    if not chosen.on:
        return ok("off: AI_MESSAGE_ASSISTANT_MODEL, and _URL or _KEY, turn it on")
    parts = urlsplit(chosen.url)
    if chosen.key and parts.scheme == "http" and not _is_private(parts.hostname or ""):
        return warning(
            f"The key and all conversations go to {parts.hostname} without encryption.",
            "Set AI_MESSAGE_ASSISTANT_URL=https://…",
        )
    if 0 < chosen.tokens_per_day < chosen.max_tokens + ONE_CALL:
        return warning(
            "AI_MESSAGE_ASSISTANT_TOKENS_PER_DAY may not hold a single question with its answer.",
            f"Set it to {10 * (chosen.max_tokens + ONE_CALL)} or more, or to 0 for no limit.",
        )
    return ok(f"{chosen.model} at {chosen.url}")


def provider() -> Finding:
    # Listing the models costs nothing.
    if not settings.ASSISTANT.on:
        return skipped("the assistant is off")
    url = f"{settings.ASSISTANT.url}/models"
    headers = {"Authorization": f"Bearer {settings.ASSISTANT.key}"} if settings.ASSISTANT.key else {}
    try:
        answer = urllib3.PoolManager(retries=False).request(
            "GET", url, headers=headers, timeout=TIMEOUT, redirect=False, preload_content=False
        )
        body = answer.read(LONGEST)
    except (urllib3.exceptions.HTTPError, OSError) as failure:
        return error(
            f"The provider does not answer at {url} ({type(failure).__name__}).",
            "See to AI_MESSAGE_ASSISTANT_URL, and whether this machine may connect to it.",
        )
    if answer.status in (401, 403):
        return error(f"The provider refuses the key ({answer.status}).", "See to AI_MESSAGE_ASSISTANT_KEY.")
    if answer.status != 200:
        return warning(
            f"The provider answers {answer.status} where it lists its models.",
            "Write to the assistant, and see whether it answers; some servers have no such list.",
        )
    return _check_models(body)


def _check_models(body: bytes) -> Finding:
    try:
        names = [str(each["id"]) for each in orjson.loads(body)["data"]]
    except (ValueError, KeyError, TypeError):
        return warning(
            "What answers there does not list models as OpenAI does.",
            "See to AI_MESSAGE_ASSISTANT_URL: it ends before /chat/completions, often with /v1.",
        )
    model = settings.ASSISTANT.model
    # Ollama lists `llama3.2:latest` for `llama3.2`.
    if model in names or f"{model}:latest" in names:
        return ok("answers, and knows the model")
    known = ", ".join(names[:MODELS_NAMED]) or "none"
    return warning(
        f"The provider does not list the model {model}; it has {known}.",
        "See to AI_MESSAGE_ASSISTANT_MODEL, or load the model there.",
    )


def serving() -> Finding:
    if not settings.ASSISTANT.on:
        return skipped("the assistant is off")
    profile = Profile.objects.first()
    if profile is None:
        return ok("not used yet")
    if profile.trouble:
        since = f"{profile.trouble_at:%Y-%m-%d %H:%M}"
        return error(
            f"The provider has refused to serve since {since} ({profile.trouble}).",
            "See to the key and the model; it is asked again once a minute.",
        )
    if not profile.is_active:
        return ok("switched off in the admin")
    if profile.failures_in_a_row:
        return warning(
            f"The last {profile.failures_in_a_row} calls to the provider failed.",
            "Its log, and ours (aimessage.assistant), say why.",
        )
    return ok("the last call was answered")


def _is_private(host: str) -> bool:
    try:
        return not ip_address(host).is_global
    except ValueError:
        return host == "localhost" or "." not in host
