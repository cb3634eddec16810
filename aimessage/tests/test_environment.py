"""Settings are read from the environment, in a process of their own."""

import json
import secrets
from pathlib import Path
from typing import Any

import pytest

from aimessage.tests.started import KEY, ROOT, SHOW, run

pytestmark = pytest.mark.once


@pytest.fixture
def read(tmp_path: Path) -> Any:
    """`read("DEBUG", "…", VARIABLE="value")` is those settings in an environment of these variables."""

    def read(*names: str, **variables: str) -> list[Any]:
        done = run("-c", SHOW, *names, folder=tmp_path, **variables)
        assert done.returncode == 0, done.stderr
        return [json.loads(done.stdout)[name] for name in names]

    return read


def test_the_defaults_are_those_of_the_contract(read: Any) -> None:
    names = ["THROTTLE_RATES", "LOCKOUT_FAILURES", "LOCKOUT_WINDOW", "REUSE_LEEWAY", "SESSION_MAX_AGE"]
    rates, failures, cooloff, leeway, days = read(*names)

    counted = {"login", "register", "refresh", "send", "search", "report", "people", "typing", "export"}
    assert set(rates) == counted | {"mail", "confirm", "mail_address", "channel", "phone", "assistant"}
    assert all(requests > 0 and seconds > 0 for requests, seconds in rates.values())
    assert (failures, cooloff, leeway, days) == (5, "0:15:00", "0:00:10", "90 days, 0:00:00")
    names = ["DEBUG", "HTTPS", "TRUSTED_PROXIES", "CORS_ALLOWED_ORIGINS", "ALLOWED_HOSTS", "MAX_BODY_SIZE"]
    assert read(*names) == [False, False, 0, [], ["localhost", "127.0.0.1", "[::1]"], 256 * 1024]


def test_accounts_and_mails_when_nothing_is_set(read: Any) -> None:
    names = ["EMAIL_VERIFICATION", "REGISTRATION", "ADMIN_MFA", "TOKEN_MAX_DAYS", "DELETION_DELAY", "NAME"]
    assert read(*names) == ["optional", "open", "optional", 0, "14 days, 0:00:00", "AI Messaging"]
    names = ["ISSUER", "ISSUER_KEY", "ISSUER_AUDIENCE", "ISSUER_CREATE", "ISSUER_LINK", "ENCRYPTION_KEYS"]
    assert read(*names) == ["", None, "aimessage", True, False, [KEY]]
    [rates, links, *mail] = read("THROTTLE_RATES", "LINKS", "MAIL_ON", "MAIL_LEAVES", "EMAIL_FILE_PATH")
    assert {name: rates[name] for name in ("mail", "mail_address", "confirm", "export")} == {
        "mail": [20, 3600],
        "mail_address": [5, 3600],
        "confirm": [30, 60],
        "export": [3, 86400],
    }
    assert mail == [True, False, str(ROOT / "outbox")]
    assert links == {
        page: f"http://localhost:8000/account/{page}?token={{token}}"
        for page in ("reset", "verify", "undelete")
    }


def test_accounts_and_mails_as_they_are_set(read: Any) -> None:
    variables = {
        "AI_MESSAGE_EMAIL_VERIFICATION": "required",
        "AI_MESSAGE_REGISTRATION": "invite",
        "AI_MESSAGE_ADMIN_MFA": "required",
        "AI_MESSAGE_TOKEN_MAX_DAYS": "90",
        "AI_MESSAGE_DELETION_DAYS": "0",
        "AI_MESSAGE_NAME": "Our chat",
        "AI_MESSAGE_ENCRYPTION_KEYS": f"{KEY[::-1]},{KEY}",
        "AI_MESSAGE_PUBLIC_URL": "https://chat.example.org/api",
        "AI_MESSAGE_LINK_RESET": "https://app.example.org/reset#{token}",
        "AI_MESSAGE_LINK_UNDELETE": "myapp://stay/{token}",
    }
    names = ["EMAIL_VERIFICATION", "REGISTRATION", "ADMIN_MFA", "TOKEN_MAX_DAYS", "DELETION_DELAY", "NAME"]
    names += ["ENCRYPTION_KEYS", "LINKS"]

    assert read(*names, **variables) == [
        *("required", "invite", "required", 90, "0:00:00", "Our chat"),
        [KEY[::-1], KEY],
        {
            "reset": "https://app.example.org/reset#{token}",
            "verify": "https://chat.example.org/api/account/verify?token={token}",
            "undelete": "myapp://stay/{token}",
        },
    ]


def test_a_template_of_the_operators_takes_the_place_of_ours(tmp_path: Path) -> None:
    (tmp_path / "test.txt").write_text("Our own words for {{ product }}")
    show = (
        "import django; django.setup(); from django.template.loader import render_to_string as show;"
        "print(show('test.txt', {'product': 'us'}, using='mail-text'));"
        "print(show('test.subject.txt', {'product': 'us'}, using='mail-text'))"
    )
    variables = {"DJANGO_SETTINGS_MODULE": "aimessage.settings", "AI_MESSAGE_MAIL_TEMPLATES": str(tmp_path)}

    printed = run("-c", show, folder=tmp_path, **variables).stdout

    assert printed.split("\n")[:2] == ["Our own words for us", "Mail from us arrives"]


@pytest.mark.parametrize(
    "variables",
    [
        {"AI_MESSAGE_LINK_RESET": "https://app.example.org/reset"},
        {"AI_MESSAGE_LINK_VERIFY": "https://app.example.org/{code}"},
        {"AI_MESSAGE_LINK_UNDELETE": "{token}"},
        {"AI_MESSAGE_MAIL_URL": "smtp+plain://mail.example.org"},
        {"AI_MESSAGE_MAIL_FROM": "nobody"},
        {"AI_MESSAGE_MAIL_PER_ADDRESS": "many"},
        {"AI_MESSAGE_THROTTLE_MAIL": "20"},
        {"AI_MESSAGE_THROTTLE_CONFIRM": "30/moment"},
        {"AI_MESSAGE_EMAIL_VERIFICATION": "yes"},
        {"AI_MESSAGE_EMAIL_VERIFICATION": "required", "AI_MESSAGE_MAIL_URL": "off"},
        {"AI_MESSAGE_REGISTRATION": "shut"},
        {"AI_MESSAGE_ADMIN_MFA": "off"},
        {"AI_MESSAGE_TOKEN_MAX_DAYS": "3651"},
        {"AI_MESSAGE_ENCRYPTION_KEYS": "short"},
    ],
    ids=str,
)
def test_the_server_does_not_start_with_such_a_value(tmp_path: Path, variables: dict[str, str]) -> None:
    ended = run("-c", SHOW, "NAME", folder=tmp_path, **variables)

    assert ended.returncode != 0
    assert next(iter(variables)) in ended.stderr


def test_every_variable_arrives(read: Any) -> None:
    variables = {
        "AI_MESSAGE_THROTTLE_LOGIN": "20/minute",
        "AI_MESSAGE_THROTTLE_REGISTER": "5/hour",
        "AI_MESSAGE_THROTTLE_REFRESH": "off",
        "AI_MESSAGE_THROTTLE_SEND": "7/second",
        "AI_MESSAGE_THROTTLE_SEARCH": "8/minute",
        "AI_MESSAGE_THROTTLE_REPORT": "9/day",
        "AI_MESSAGE_THROTTLE_PEOPLE": "off",
        "AI_MESSAGE_THROTTLE_EXPORT": "1/hour",
        "AI_MESSAGE_THROTTLE_TYPING": "off",
        "AI_MESSAGE_THROTTLE_MAIL": "2/hour",
        "AI_MESSAGE_THROTTLE_CONFIRM": "3/minute",
        "AI_MESSAGE_MAIL_PER_ADDRESS": "1/day",
        "AI_MESSAGE_THROTTLE_CHANNEL": "9/minute",
        "AI_MESSAGE_THROTTLE_PHONE": "off",
        "AI_MESSAGE_THROTTLE_ASSISTANT": "4/minute",
        "AI_MESSAGE_LOCKOUT_FAILURES": "3",
        "AI_MESSAGE_LOCKOUT_MINUTES": "60",
        "AI_MESSAGE_REUSE_LEEWAY": "30",
        "AI_MESSAGE_SESSION_MAX_DAYS": "14",
        "AI_MESSAGE_TRUSTED_PROXIES": "2",
        "AI_MESSAGE_CORS_ORIGINS": "https://a.example, https://b.example,",
        "AI_MESSAGE_DOMAIN": "chat.example.org",
    }
    names = ["THROTTLE_RATES", "LOCKOUT_FAILURES", "LOCKOUT_WINDOW", "REUSE_LEEWAY"]
    names += ["SESSION_MAX_AGE", "TRUSTED_PROXIES", "CORS_ALLOWED_ORIGINS", "ALLOWED_HOSTS"]

    assert read(*names, **variables) == [
        {
            **{"login": [20, 60], "register": [5, 3600], "refresh": None, "send": [7, 1]},
            **{"search": [8, 60], "report": [9, 86400], "people": None, "typing": None, "export": [1, 3600]},
            **{"mail": [2, 3600], "confirm": [3, 60], "mail_address": [1, 86400]},
            **{"channel": [9, 60], "phone": None},
            "assistant": [4, 60],
        },
        3,
        "1:00:00",
        "0:00:30",
        "14 days, 0:00:00",
        2,
        ["https://a.example", "https://b.example"],
        ["chat.example.org", "localhost", "127.0.0.1", "[::1]"],
    ]


def test_no_failures_allowed_means_no_lockout(read: Any) -> None:
    assert read("LOCKOUT_FAILURES", AI_MESSAGE_LOCKOUT_FAILURES="0") == [0]


def test_an_empty_variable_is_an_absent_one(read: Any) -> None:
    names = ["AI_MESSAGE_THROTTLE_LOGIN", "AI_MESSAGE_LOCKOUT_FAILURES", "DATABASE_URL", "DEBUG"]

    assert read("DEBUG", "LOCKOUT_FAILURES", **dict.fromkeys(names, "")) == [False, 5]


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
        ("AI_MESSAGE_WEBHOOK_ALLOW", "10.0.0.1/8"),
        ("AI_MESSAGE_WEBHOOK_ALLOW", "hooks.example"),
        ("AI_MESSAGE_WEBHOOK_KEYS", "a" * 50),
        ("AI_MESSAGE_WEBHOOK_KEYS", "short"),
        ("SECRET_KEY", "a" * 20),
        ("AI_MESSAGE_JWT_KEYS", "a" * 50),
        ("AI_MESSAGE_THROTTLE_LOGIN", "1_0/minute"),
        ("AI_MESSAGE_THROTTLE_SEND", "99999999999999999999/minute"),
        ("AI_MESSAGE_LOCKOUT_FAILURES", "٣"),
        ("AI_MESSAGE_LOCKOUT_MINUTES", "+5"),
        ("AI_MESSAGE_REUSE_LEEWAY", "99999999"),
        ("AI_MESSAGE_SESSION_MAX_DAYS", "1e3"),
        ("AI_MESSAGE_TRUSTED_PROXIES", "1 # nginx"),
        ("AI_MESSAGE_PORT", "0"),
        ("AI_MESSAGE_PORT", "65536"),
        ("AI_MESSAGE_PORT", "http"),
        ("AI_MESSAGE_WORKERS", "0"),
        ("AI_MESSAGE_THREADS", "auto"),
        ("AI_MESSAGE_HOST", "http://127.0.0.1"),
        ("AI_MESSAGE_HOST", "127.0.0.1:8000"),
        ("AI_MESSAGE_HOST", "*"),
        ("AI_MESSAGE_DOMAIN", "https://chat.example.org"),
        ("AI_MESSAGE_CORS_ORIGINS", "*"),
        ("AI_MESSAGE_ENV_FILE", "/no/such/file"),
        ("AI_MESSAGE_SSL_CERT", "/no/such/file"),
        ("AI_MESSAGE_DATABASE_PASSWORD_FILE", "/no/such/file"),
        ("AI_MESSAGE_LOGS_FOLDER", "/proc"),
        ("AI_MESSAGE_DOMIAN", "chat.example.org"),
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
    assert read("METRICS_FROM", AI_MESSAGE_METRICS_FROM="::ffff:10.1.2.3, ::ffff:10.0.0.0/104, ::/0") == [
        ["10.1.2.3/32", "10.0.0.0/8", "::/0"]
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
        "LOCKOUT_FAILURES",
        "LOCKOUT_WINDOW",
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


def test_the_default_files_of_tls_may_be_missing(read: Any) -> None:
    names = {"AI_MESSAGE_SSL_CERT": "ssl/cert.pem", "AI_MESSAGE_SSL_KEY": "ssl/key.pem"}

    assert read("TLS", "HTTPS", **names) == [False, False]
