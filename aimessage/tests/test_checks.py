import pytest
from django.core.checks import Tags, run_checks
from pytest_django import Settings

from aimessage.checks import DEBUG_IN_PUBLIC, UNTRUSTED_ORIGIN, WILDCARD_HOST

LOCAL = ["localhost", "127.0.0.1", "[::1]"]


def found(*, deploy: bool = False) -> list[str]:
    messages = run_checks(tags=[Tags.security], include_deployment_checks=deploy)
    return [str(message.id) for message in messages if str(message.id).startswith("aimessage.")]


def test_the_settings_as_they_are_raise_no_alarm() -> None:
    assert found() == []


def test_a_wildcard_host_is_an_error(settings: Settings) -> None:
    settings.ALLOWED_HOSTS = ["*", *LOCAL]

    assert found() == [WILDCARD_HOST]


@pytest.mark.parametrize(
    "origin",
    ["app.example.org", "https://app.example.org/", "https://app.example.org/app", "*", "ftp://a.example"],
)
def test_an_origin_that_is_none_is_an_error(settings: Settings, origin: str) -> None:
    settings.CORS_ALLOWED_ORIGINS = ["https://app.example.org", "http://localhost:3000", origin]

    assert found() == [UNTRUSTED_ORIGIN]


def test_debug_with_a_public_name_is_a_warning_before_deployment(settings: Settings) -> None:
    settings.DEBUG = True
    settings.ALLOWED_HOSTS = ["chat.example.org", *LOCAL]

    assert found() == []
    assert found(deploy=True) == [DEBUG_IN_PUBLIC]


def test_debug_on_a_laptop_is_fine(settings: Settings) -> None:
    settings.DEBUG = True
    settings.ALLOWED_HOSTS = LOCAL

    assert found(deploy=True) == []
