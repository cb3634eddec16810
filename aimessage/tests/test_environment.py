"""Settings are read from the environment, in a process of their own."""

import json
import os
import secrets
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
KEY = "a-long-text-that-stands-for-a-random-key-0123456789"  # the same in every process of a test run

SHOW = """
import json, sys
from aimessage import settings
print(json.dumps({name: getattr(settings, name) for name in sys.argv[1:]}, default=str))
"""


def run(*command: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {
        "PATH": os.environ["PATH"],
        "AI_MESSAGE_ENV_FILE": os.devnull,
        "AI_MESSAGE_LOGS_FOLDER": str(folder),
        "SECRET_KEY": KEY,
        **variables,
    }
    return subprocess.run(  # noqa: S603  our own Python, on our own code
        [sys.executable, *command], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60
    )


@pytest.fixture
def read(tmp_path: Path) -> Any:
    """`read("DEBUG", "…", VARIABLE="value")` is those settings in an environment of these variables."""

    def read(*names: str, **variables: str) -> list[Any]:
        done = run("-c", SHOW, *names, folder=tmp_path, **variables)
        assert done.returncode == 0, done.stderr
        return [json.loads(done.stdout)[name] for name in names]

    return read


def test_the_defaults_are_those_of_the_contract(read: Any) -> None:
    names = ["THROTTLE_RATES", "AXES_FAILURE_LIMIT", "AXES_COOLOFF_TIME", "REUSE_LEEWAY", "SESSION_MAX_AGE"]
    rates, failures, cooloff, leeway, days = read(*names)

    assert set(rates) == {"login", "register", "refresh", "send"}
    assert all(requests > 0 and seconds > 0 for requests, seconds in rates.values())
    assert (failures, cooloff, leeway, days) == (5, "0:15:00", "0:00:10", "90 days, 0:00:00")
    names = ["DEBUG", "HTTPS", "TRUSTED_PROXIES", "CORS_ALLOWED_ORIGINS", "ALLOWED_HOSTS", "MAX_BODY_SIZE"]
    assert read(*names) == [False, False, 0, [], ["localhost", "127.0.0.1", "[::1]"], 256 * 1024]


def test_every_variable_arrives(read: Any) -> None:
    variables = {
        "AI_MESSAGE_THROTTLE_LOGIN": "20/minute",
        "AI_MESSAGE_THROTTLE_REGISTER": "5/hour",
        "AI_MESSAGE_THROTTLE_REFRESH": "off",
        "AI_MESSAGE_THROTTLE_SEND": "7/second",
        "AI_MESSAGE_LOCKOUT_FAILURES": "3",
        "AI_MESSAGE_LOCKOUT_MINUTES": "60",
        "AI_MESSAGE_REUSE_LEEWAY": "30",
        "AI_MESSAGE_SESSION_MAX_DAYS": "14",
        "AI_MESSAGE_TRUSTED_PROXIES": "2",
        "AI_MESSAGE_CORS_ORIGINS": "https://a.example, https://b.example,",
        "AI_MESSAGE_DOMAIN": "chat.example.org",
    }
    names = ["THROTTLE_RATES", "AXES_FAILURE_LIMIT", "AXES_ENABLED", "AXES_COOLOFF_TIME", "REUSE_LEEWAY"]
    names += ["SESSION_MAX_AGE", "TRUSTED_PROXIES", "CORS_ALLOWED_ORIGINS", "ALLOWED_HOSTS"]

    assert read(*names, **variables) == [
        {"login": [20, 60], "register": [5, 3600], "refresh": None, "send": [7, 1]},
        3,
        True,
        "1:00:00",
        "0:00:30",
        "14 days, 0:00:00",
        2,
        ["https://a.example", "https://b.example"],
        ["chat.example.org", "localhost", "127.0.0.1", "[::1]"],
    ]


def test_no_failures_allowed_means_no_lockout(read: Any) -> None:
    assert read("AXES_ENABLED", AI_MESSAGE_LOCKOUT_FAILURES="0") == [False]


def test_an_empty_variable_is_an_absent_one(read: Any) -> None:
    names = ["AI_MESSAGE_THROTTLE_LOGIN", "AI_MESSAGE_LOCKOUT_FAILURES", "DATABASE_URL", "DEBUG"]

    assert read("DEBUG", "AXES_FAILURE_LIMIT", **dict.fromkeys(names, "")) == [False, 5]


def test_the_first_jwt_key_signs_and_the_secret_key_does_where_there_is_none(read: Any) -> None:
    first, second = "$" + secrets.token_urlsafe(50), secrets.token_urlsafe(50)

    keys, jwt = read("JWT_KEYS", "SIMPLE_JWT", AI_MESSAGE_JWT_KEYS=f"{first},{second}")
    assert (keys, jwt["SIGNING_KEY"]) == ([first, second], first)
    assert read("JWT_KEYS", "SECRET_KEY") == [[KEY], KEY]


@pytest.mark.parametrize("name", ["DATABASE_URL", "AI_MESSAGE_DATABASE_URL"])
@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg2"])
def test_the_database_may_be_named_as_the_old_backend_did(read: Any, name: str, scheme: str) -> None:
    [databases] = read("DATABASES", **{name: f"{scheme}://ann:p%40ss@db.example:5433/chat"})

    database = databases["default"]
    assert database["ENGINE"] == "aimessage.db.postgresql"
    assert (database["HOST"], database["PORT"], database["NAME"]) == ("db.example", 5433, "chat")
    assert (database["USER"], database["PASSWORD"]) == ("ann", "p@ss")
    assert (database["CONN_HEALTH_CHECKS"], database["OPTIONS"]["connect_timeout"]) == (True, 2)


def test_without_a_database_url_it_is_sqlite(read: Any) -> None:
    [databases] = read("DATABASES")

    assert databases["default"]["ENGINE"] == "django.db.backends.sqlite3"
    assert databases["default"]["OPTIONS"]["transaction_mode"] == "IMMEDIATE"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SECRET_KEY", ""),
        ("SECRET_KEY", "short"),
        ("SECRET_KEY", "a" * 50),
        ("AI_MESSAGE_JWT_KEYS", "short"),
        ("AI_MESSAGE_JWT_KEYS", f"{KEY},short"),
        ("DEBUG", "maybe"),
        ("AI_MESSAGE_HTTPS", "2"),
        ("AI_MESSAGE_THROTTLE_LOGIN", "20"),
        ("AI_MESSAGE_THROTTLE_REGISTER", "0/minute"),
        ("AI_MESSAGE_THROTTLE_REFRESH", "20/fortnight"),
        ("AI_MESSAGE_THROTTLE_SEND", "many/minute"),
        ("AI_MESSAGE_LOCKOUT_FAILURES", "-1"),
        ("AI_MESSAGE_LOCKOUT_MINUTES", "0"),
        ("AI_MESSAGE_REUSE_LEEWAY", "2.5"),
        ("AI_MESSAGE_SESSION_MAX_DAYS", "0"),
        ("AI_MESSAGE_TRUSTED_PROXIES", "all"),
        ("DATABASE_URL", "mysql://ann@db.example/chat"),
        ("DATABASE_URL", "chat"),
        ("DATABASE_URL", "postgresql://ann@db.example:many/chat"),
        ("AI_MESSAGE_DATABASE_URL", "oracle://ann@db.example/chat"),
        ("AI_MESSAGE_LOGS_FOLDER", "/dev/null/logs"),
        ("AI_MESSAGE_LOG_FORMAT", "xml"),
        ("AI_MESSAGE_METRICS_FROM", "10.0.0.1/8"),
        ("AI_MESSAGE_METRICS_FROM", "prometheus.example"),
        ("AI_MESSAGE_METRICS_TOKEN", "short"),
    ],
)
def test_a_wrong_value_stops_the_start_and_names_the_variable(tmp_path: Path, name: str, value: str) -> None:
    done = run("-c", SHOW, folder=tmp_path, **{name: value})

    assert done.returncode != 0
    last = done.stderr.strip().splitlines()[-1]
    assert "ImproperlyConfigured" in last
    assert name in last


def test_logs_can_be_json_and_need_no_folder(read: Any) -> None:
    assert read("LOG_FORMAT") == ["text"]
    assert read("LOG_FORMAT", "LOGS_FOLDER", AI_MESSAGE_LOG_FORMAT="JSON", AI_MESSAGE_LOGS_FOLDER="-") == [
        "json",
        None,
    ]


def test_metrics_are_for_this_machine_unless_others_are_named(read: Any) -> None:
    assert read("METRICS_FROM", "METRICS_TOKEN") == [["127.0.0.1/32", "::1/128"], ""]
    assert read("METRICS_FROM", AI_MESSAGE_METRICS_FROM="10.0.0.0/8,192.0.2.7, fd00::/8") == [
        ["10.0.0.0/8", "192.0.2.7/32", "fd00::/8"]
    ]
    assert read("METRICS_FROM", AI_MESSAGE_METRICS_FROM="off") == [[]]


def test_debug_alone_goes_without_a_secret_key(read: Any) -> None:
    [key] = read("SECRET_KEY", SECRET_KEY="", DEBUG="1")

    assert key.startswith("insecure")


def test_https_secures_the_cookies_and_the_way(read: Any) -> None:
    names = ["SECURE_SSL_REDIRECT", "SESSION_COOKIE_SECURE", "CSRF_COOKIE_SECURE", "SECURE_HSTS_SECONDS"]

    assert read(*names, AI_MESSAGE_HTTPS="1") == [True, True, True, 365 * 24 * 3600]
    assert read(*names, AI_MESSAGE_HTTPS="0") == [False, False, False, 0]


def test_the_scheme_of_a_proxy_is_believed_only_where_one_is_trusted(read: Any) -> None:
    assert read("SECURE_PROXY_SSL_HEADER") == [None]
    assert read("SECURE_PROXY_SSL_HEADER", AI_MESSAGE_TRUSTED_PROXIES="1") == [
        ["HTTP_X_FORWARDED_PROTO", "https"]
    ]


def test_the_env_file_is_read_and_the_environment_wins(read: Any, tmp_path: Path) -> None:
    file = tmp_path / "env"
    file.write_text("AI_MESSAGE_LOCKOUT_FAILURES=7\nAI_MESSAGE_LOCKOUT_MINUTES=7\n", encoding="utf-8")

    settings = read(
        "AXES_FAILURE_LIMIT",
        "AXES_COOLOFF_TIME",
        AI_MESSAGE_ENV_FILE=str(file),
        AI_MESSAGE_LOCKOUT_MINUTES="9",
    )

    assert settings == [7, "0:09:00"]


def test_the_checks_for_deployment_are_clean_with_https_on(tmp_path: Path) -> None:
    done = run(
        "manage.py",
        "check",
        "--deploy",
        "--fail-level",
        "WARNING",
        folder=tmp_path,
        AI_MESSAGE_HTTPS="1",
        AI_MESSAGE_DOMAIN="chat.example.org",
    )

    assert done.returncode == 0, done.stderr
    assert "no issues" in done.stdout
