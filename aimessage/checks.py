"""System checks for settings that are dangerous together; `check --deploy` runs all of them."""

from collections.abc import Sequence

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register

WILDCARD_HOST = "aimessage.E001"
UNTRUSTED_ORIGIN = "aimessage.E002"
DEBUG_IN_PUBLIC = "aimessage.E003"
UNKNOWN_VARIABLE = "aimessage.W004"


@register(Tags.security)
def check_hosts(app_configs: Sequence[AppConfig] | None, **kwargs: object) -> list[CheckMessage]:
    # With a wildcard, clients choose the host in the links of the API's answers.
    if "*" not in settings.ALLOWED_HOSTS:
        return []
    return [Error("AI_MESSAGE_DOMAIN lists *.", hint="List the hosts.", id=WILDCARD_HOST)]


@register(Tags.security)
def check_origins(app_configs: Sequence[AppConfig] | None, **kwargs: object) -> list[CheckMessage]:
    # django-cors-headers compares whole origins, so a path or a bare host never matches.
    return [
        Error(
            f"AI_MESSAGE_CORS_ORIGINS lists {origin!r}, which is no origin.",
            hint="Write it as https://app.example.org, without a path.",
            id=UNTRUSTED_ORIGIN,
        )
        for origin in settings.CORS_ALLOWED_ORIGINS
        if not origin.startswith(("http://", "https://")) or origin.count("/") != 2
    ]


@register(Tags.security, deploy=True)
def check_debug(app_configs: Sequence[AppConfig] | None, **kwargs: object) -> list[CheckMessage]:
    # DEBUG shows settings and source code to everybody who gets an error.
    if not settings.DEBUG or settings.ALLOWED_HOSTS == ["localhost", "127.0.0.1", "[::1]"]:
        return []
    return [
        Warning(
            "DEBUG=1 together with AI_MESSAGE_DOMAIN.",
            hint="Leave DEBUG out wherever others can reach the server.",
            id=DEBUG_IN_PUBLIC,
        )
    ]


@register(Tags.security)
def check_unknown_variables(app_configs: Sequence[AppConfig] | None, **kwargs: object) -> list[CheckMessage]:
    # An unknown setting may be a misspelt one that somebody relies on.
    return [
        Warning(sentence, hint="docs/settings.md lists them all.", id=UNKNOWN_VARIABLE)
        for sentence in settings.UNKNOWN_VARIABLES
    ]
