"""Checks settings that are valid, but may not be safe on a public server."""

import math
import stat

from django.conf import settings
from django.core.checks import WARNING, run_checks

from aimessage.environment import read_text
from operations.maintenance.doctor.findings import Finding, error, ok, warning

LOCAL_HOSTS = {"localhost", "127.0.0.1", "[::1]"}
#: Enough for HS256 and Django's signatures.
ENOUGH_BITS = 128
PLACEHOLDERS = ("insecure", "changeme", "change-me", "password", "example", "secret-key", "secretkey")
NEW_KEY = "Take the output of: python3 -c 'import secrets; print(secrets.token_urlsafe(50))'"
#: Django's own checks of https; `https` covers them.
ABOUT_HTTPS = {"security.W004", "security.W008", "security.W010", "security.W012", "security.W016"}


def public_hosts() -> list[str]:
    return [host for host in settings.ALLOWED_HOSTS if host not in LOCAL_HOSTS]


def _weakness(key: str) -> str:
    if any(word in key.lower() for word in PLACEHOLDERS):
        return "looks like a placeholder"
    if len(key) * math.log2(max(2, len(set(key)))) < ENOUGH_BITS:
        return "is too easy to guess"
    return ""


def secret_key() -> Finding:
    weakness = _weakness(settings.SECRET_KEY)
    if weakness:
        return error(f"SECRET_KEY {weakness}.", NEW_KEY)
    return ok(f"{len(settings.SECRET_KEY)} characters")


def jwt_keys() -> Finding:
    keys = settings.JWT_KEYS
    if keys == [settings.SECRET_KEY]:
        return ok("SECRET_KEY signs the tokens")
    for number, key in enumerate(keys, 1):
        if weakness := _weakness(key):
            return error(f"Key {number} of AI_MESSAGE_JWT_KEYS {weakness}.", NEW_KEY)
    if len(set(keys)) < len(keys):
        return warning("AI_MESSAGE_JWT_KEYS names a key twice.", "Remove one of the two.")
    if len(keys) > 2:
        return warning(
            f"{len(keys)} keys verify tokens, and whoever has one of them can make tokens.",
            "Remove the old ones a week after a change: by then no token of theirs is left.",
        )
    return ok(f"{len(keys)} key(s); the first signs")


def env_file() -> Finding:
    path = settings.BASE_DIR / read_text("AI_MESSAGE_ENV_FILE", ".env")
    if not path.is_file():
        return ok("no file; all settings come from the environment")
    if path.stat().st_mode & (stat.S_IROTH | stat.S_IWOTH):
        return error(f"Every user of this machine can read the keys in {path}.", f"chmod o-rwx {path}")
    return ok(f"{path} is closed to others")


def debug() -> Finding:
    if not settings.DEBUG:
        return ok("off")
    advice = "Leave DEBUG out of the environment."
    if public_hosts():
        return error("DEBUG=1 shows settings and source to whoever meets an error.", advice)
    return warning("DEBUG=1, for development alone.", advice)


def hosts() -> Finding:
    public = public_hosts()
    if "*" in public:
        return error("Anyone can choose the host in links.", "Name the hosts in AI_MESSAGE_DOMAIN, not *.")
    if not public:
        return warning(
            "Only localhost is answered; any other name is a 400.",
            "Set AI_MESSAGE_DOMAIN to the names by which clients reach the server.",
        )
    return ok(", ".join(public))


def https() -> Finding:
    if settings.HTTPS:
        return ok("on: secure cookies, HSTS, redirect from http")
    if public_hosts():
        return error(
            "Passwords and tokens may travel readable for anyone on the way.",
            "Serve TLS (AI_MESSAGE_SSL_CERT, AI_MESSAGE_SSL_KEY), or put a proxy that does in front and set"
            " AI_MESSAGE_HTTPS=1.",
        )
    return warning("Off, which is fine on a laptop.", "Turn it on before others can reach the server.")


def proxies() -> Finding:
    trusted, host = settings.TRUSTED_PROXIES, read_text("AI_MESSAGE_HOST", "0.0.0.0")  # noqa: S104
    own_tls = settings.SSL_CERT.is_file() and settings.SSL_KEY.is_file()
    if settings.HTTPS and not own_tls and not trusted:
        return error(
            "AI_MESSAGE_HTTPS=1, but the server speaks plain http and believes no proxy that the way before"
            " it was https: every request is redirected, for ever.",
            "Set AI_MESSAGE_TRUSTED_PROXIES to the number of proxies in front, which set X-Forwarded-Proto.",
        )
    if trusted and host not in {"127.0.0.1", "::1", "localhost"}:
        return warning(
            f"{trusted} proxies are believed, and the server listens on {host}: clients that reach it past"
            " the proxy can choose their address, and so get around throttles and lockouts.",
            "Set AI_MESSAGE_HOST=127.0.0.1, or see to it that the proxy alone reaches the port.",
        )
    return ok(f"{trusted} in front are believed; --url asks whether that is so")


def limits() -> Finding:
    lifted = [name for name, rate in settings.THROTTLE_RATES.items() if rate is None]
    variables = [f"AI_MESSAGE_THROTTLE_{name.upper()}" for name in lifted]
    if not settings.LOCKOUT_FAILURES:
        variables.append("AI_MESSAGE_LOCKOUT_FAILURES")
    if variables:
        return warning(f"Lifted: {', '.join(variables)}.", "Give them values, unless something else limits.")
    return ok("throttles and lockout are on")


def system_checks() -> Finding:
    failed = [check for check in run_checks(include_deployment_checks=True) if check.level >= WARNING]
    if not settings.HTTPS:
        failed = [check for check in failed if check.id not in ABOUT_HTTPS]
    if failed:
        found = " ".join(f"{check.id}: {check.msg}" for check in failed)
        return warning(found, " ".join(check.hint for check in failed if check.hint) or "See: check --deploy")
    return ok("nothing to object to")
