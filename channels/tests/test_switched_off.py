"""Without an account of Twilio's nothing of it is loaded, or asked for."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from channels.settings import Twilio

pytestmark = pytest.mark.once

ROOT = Path(__file__).resolve().parents[2]
KEY = "a-long-text-that-stands-for-a-random-key-0123456789"
ACCOUNT = "AC" + "a" * 32
TOKEN = "0123456789abcdef0123456789abcdef"
LOADED = """
import os, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "aimessage.settings"
import django
django.setup()
from django.conf import settings
settings.ALLOWED_HOSTS.append("testserver")
from django.test import Client
statuses = [Client().post(path).status_code for path in ("/twilio_webhook", "/twilio_webhook/status")]
print(settings.TWILIO, statuses, sorted(name for name in sys.modules if name.split(".")[0] == "twilio"))
"""


def start(code: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {
        "PATH": os.environ["PATH"],
        "AI_MESSAGE_ENV_FILE": os.devnull,
        "AI_MESSAGE_LOGS_FOLDER": str(folder),
        "DATABASE_URL": f"sqlite:///{folder}/empty.sqlite3",
        "SECRET_KEY": KEY,
        **variables,
    }
    return subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60
    )


def test_nothing_of_twilio_is_loaded_where_it_is_off(tmp_path: Path) -> None:  # A49
    done = start(LOADED, tmp_path)

    assert (done.stdout.strip(), done.returncode) == ("None [404, 404] []", 0), done.stderr


SHOW = """
from aimessage.settings import TWILIO, PUBLIC_URL, PUBLIC_URLS
print(TWILIO and vars(TWILIO), PUBLIC_URL, PUBLIC_URLS)
"""
GOOD = {
    "AI_MESSAGE_TWILIO_ACCOUNT": ACCOUNT,
    "AI_MESSAGE_TWILIO_AUTH_TOKENS": TOKEN,
    "AI_MESSAGE_PUBLIC_URL": "https://chat.example.org/api/, https://other.example.org",
    "AI_MESSAGE_TWILIO_INBOX": "desk",
}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"AI_MESSAGE_TWILIO_ACCOUNT": "AC12"}, "AI_MESSAGE_TWILIO_ACCOUNT must be"),
        ({"AI_MESSAGE_TWILIO_AUTH_TOKENS": ""}, "AI_MESSAGE_TWILIO_AUTH_TOKENS must be set"),
        ({"AI_MESSAGE_TWILIO_AUTH_TOKENS": "short"}, "AI_MESSAGE_TWILIO_AUTH_TOKENS must list"),
        ({"AI_MESSAGE_TWILIO_AUTH_TOKENS": f"XX:{TOKEN}"}, "AI_MESSAGE_TWILIO_AUTH_TOKENS must list"),
        ({"AI_MESSAGE_TWILIO_AUTH_TOKENS": f"AC{'b' * 32}:{TOKEN}"}, "AI_MESSAGE_TWILIO_API_KEY must be set"),
        ({"AI_MESSAGE_TWILIO_SHARED_KEYS": "K1"}, "AI_MESSAGE_TWILIO_SHARED_KEYS must list"),
        ({"AI_MESSAGE_TWILIO_SHARED_KEYS": f"K1:{TOKEN}, K1:{TOKEN}"}, "AI_MESSAGE_TWILIO_SHARED_KEYS must"),
        ({"AI_MESSAGE_TWILIO_API_KEY": TOKEN}, "AI_MESSAGE_TWILIO_API_KEY must be"),
        ({"AI_MESSAGE_TWILIO_FROM": "0049 30 123"}, "AI_MESSAGE_TWILIO_FROM must list"),
        ({"AI_MESSAGE_TWILIO_URL": "api.twilio.com"}, "AI_MESSAGE_TWILIO_URL must be"),
        ({"AI_MESSAGE_TWILIO_UNKNOWN": "reject"}, "AI_MESSAGE_TWILIO_UNKNOWN='reject' is not"),
        ({"AI_MESSAGE_TWILIO_COUNTRIES": "Germany"}, "AI_MESSAGE_TWILIO_COUNTRIES must list"),
        ({"AI_MESSAGE_TWILIO_TEMPLATE": "HX1"}, "AI_MESSAGE_TWILIO_TEMPLATE must be"),
        ({"AI_MESSAGE_TWILIO_VERIFY": "VA1"}, "AI_MESSAGE_TWILIO_VERIFY must be"),
        ({"AI_MESSAGE_TWILIO_MAX_PARTS": "0"}, "AI_MESSAGE_TWILIO_MAX_PARTS='0' is not"),
        ({"AI_MESSAGE_TWILIO_SENDS_PER_DAY": "x"}, "AI_MESSAGE_TWILIO_SENDS_PER_DAY='x' is not"),
        ({"AI_MESSAGE_PUBLIC_URL": ""}, "AI_MESSAGE_PUBLIC_URL must be set"),
        ({"AI_MESSAGE_PUBLIC_URL": "https://a.example, b.example"}, "AI_MESSAGE_PUBLIC_URL must be"),
        ({"AI_MESSAGE_TWILIO_INBOX": ""}, "AI_MESSAGE_TWILIO_INBOX must name"),
        ({"AI_MESSAGE_THROTTLE_PHONE": "5"}, "AI_MESSAGE_THROTTLE_PHONE='5' is not"),
    ],
)
def test_what_cannot_work_stops_the_start_and_tells_no_secret(
    tmp_path: Path, changes: dict[str, str], said: str
) -> None:
    done = start(SHOW, tmp_path, **{**GOOD, **changes})

    assert done.returncode == 1
    assert f"ImproperlyConfigured: {said}" in done.stderr
    assert TOKEN not in done.stderr


def test_every_variable_arrives(tmp_path: Path) -> None:
    shared, api = f"K1:{TOKEN},K2:{TOKEN}", f"SK{'c' * 32}:{TOKEN}"
    done = start(
        SHOW,
        tmp_path,
        **{
            **GOOD,
            "AI_MESSAGE_TWILIO_AUTH_TOKENS": f"{TOKEN}, AC{'b' * 32}:{TOKEN}2,{TOKEN}3",
            "AI_MESSAGE_TWILIO_SHARED_KEYS": shared,
            "AI_MESSAGE_TWILIO_API_KEY": api,
            "AI_MESSAGE_TWILIO_FROM": "+15005550006, whatsapp:+4930123456",
            "AI_MESSAGE_TWILIO_URL": "http://127.0.0.1:9/",
            "AI_MESSAGE_TWILIO_UNKNOWN": "contact",
            "AI_MESSAGE_TWILIO_COUNTRIES": "de, AT",
            "AI_MESSAGE_TWILIO_TEMPLATE": f"HX{'d' * 32}",
            "AI_MESSAGE_TWILIO_VERIFY": f"VA{'e' * 32}",
            "AI_MESSAGE_TWILIO_MAX_PARTS": "2",
            "AI_MESSAGE_TWILIO_SENDS_PER_DAY": "5",
        },
    )

    assert done.returncode == 0, done.stderr
    for said in (
        f"'account': '{ACCOUNT}'",
        f"'tokens': {{'{ACCOUNT}': ('{TOKEN}', '{TOKEN}3'), 'AC{'b' * 32}': ('{TOKEN}2',)}}",
        f"'shared_keys': {{'K1': '{TOKEN}', 'K2': '{TOKEN}'}}",
        f"'api_key': ('SK{'c' * 32}', '{TOKEN}')",
        "'numbers': ('+15005550006', 'whatsapp:+4930123456')",
        "'url': 'http://127.0.0.1:9'",
        "'unknown': 'contact', 'inbox': 'desk'",
        f"'template': 'HX{'d' * 32}', 'verify': 'VA{'e' * 32}'",
        "'max_parts': 2, 'sends_per_day': 5",
        "https://chat.example.org/api ['https://chat.example.org/api', 'https://other.example.org']",
    ):
        assert said in done.stdout


def test_what_is_not_said_is_as_the_documentation_says(tmp_path: Path) -> None:
    show = f"{SHOW}\nfrom aimessage.settings import THROTTLE_RATES as rates; print(rates)"
    done = start(show, tmp_path, **GOOD)

    assert done.returncode == 0, done.stderr
    for said in (
        "'url': 'https://api.twilio.com', 'unknown': 'ignore'",
        "'template': '', 'verify': '', 'max_parts': 4, 'sends_per_day': 1000, 'pace': 1.0",
        "'channel': (30, 60)",
        "'phone': (5, 86400)",
    ):
        assert said in done.stdout


def test_the_names_of_the_former_backend_count_where_ours_are_empty(tmp_path: Path) -> None:
    former = {
        "TWILIO_ACCOUNT_SID": ACCOUNT,
        "TWILIO_AUTH_TOKEN": TOKEN,
        "TWILIO_PHONE_NUMBER": "+15005550006",
    }
    here = {name: GOOD[name] for name in ("AI_MESSAGE_PUBLIC_URL", "AI_MESSAGE_TWILIO_INBOX")}
    done = start(SHOW, tmp_path, **here, **former, AI_MESSAGE_TWILIO_ACCOUNT="")

    assert done.returncode == 0, done.stderr
    assert f"'account': '{ACCOUNT}', 'tokens': {{'{ACCOUNT}': ('{TOKEN}',)}}" in done.stdout
    assert "'numbers': ('+15005550006',)" in done.stdout
    assert "'countries': frozenset({'US'})" in done.stdout


def test_secrets_are_in_no_repr() -> None:
    twilio = Twilio(ACCOUNT, {ACCOUNT: (TOKEN,)}, {"K1": TOKEN}, ("SK1", TOKEN))

    assert TOKEN not in repr(twilio)


@pytest.mark.parametrize(
    "keys", [{"AI_MESSAGE_ASSISTANT_KEY": "x" * 20}, {"LITELLM_BASEURL": "http://a.example"}]
)
def test_the_assistant_is_an_inbox(tmp_path: Path, keys: dict[str, Any]) -> None:
    named = {**GOOD, "AI_MESSAGE_TWILIO_INBOX": "", "AI_MESSAGE_ASSISTANT_MODEL": "m"}

    assert start(SHOW, tmp_path, **named, **keys).returncode == 0
    assert start(SHOW, tmp_path, **named).returncode == 1
