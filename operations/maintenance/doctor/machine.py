"""Checks files, folders, disks and certificates of this machine."""

import os
import shutil
import ssl
import stat
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection
from django.utils import timezone

from operations.maintenance.doctor.configuration import public_hosts
from operations.maintenance.doctor.findings import Finding, error, ok, warning

#: An automatic renewal happens a month ahead; after this it has failed.
RENEW_BEFORE = timedelta(days=21)
LITTLE_SPACE, NO_SPACE = 1_000_000_000, 200_000_000
#: Files that every page of the admin needs.
STATIC_FILES = ("admin/css/base.css", "aimessage/admin.css")
RENEW = "Renew the certificate, and see why that did not happen by itself."
# OpenSSL's X509_V_FLAG_NO_CHECK_TIME, for which Python has no name.
_NO_CHECK_TIME = 0x200000

#: As `getpeercert()` returns it.
Certificate = dict[str, Any]


def log_folder() -> Finding:
    folder: Path | None = settings.LOGS_FOLDER
    if folder is None:
        return ok("none: logs go to standard error, for whoever started the server to keep")
    if not os.access(folder, os.W_OK | os.X_OK):
        return error(
            f"{folder} cannot be written to.", f"chown it to the user of the server: {_current_user()}"
        )
    files = list(folder.glob("*.log*"))
    closed = [path.name for path in files if not os.access(path, os.W_OK)]
    if closed:
        return error(
            f"{', '.join(closed)} in {folder} cannot be written to.",
            f"chown them to the user of the server: {_current_user()}",
        )
    owner = folder.stat().st_uid
    foreign = [path.name for path in files if path.stat().st_uid != owner]
    if foreign:  # root may write them all, so the checks above find nothing.
        return warning(
            f"{', '.join(foreign)} in {folder} belong to another user than the folder.",
            "Run manage.py as the user of the server, and chown them to it.",
        )
    return ok(str(folder))


def _current_user() -> str:
    return f"uid {os.getuid()} asks now"


def disk_space(backups: Path) -> Finding:
    folders = {backups}
    if settings.LOGS_FOLDER is not None:
        folders.add(settings.LOGS_FOLDER)
    if connection.vendor == "sqlite":
        folders.add(Path(connection.settings_dict["NAME"]).parent)
    free = {folder: shutil.disk_usage(folder).free for folder in folders if folder.is_dir()}
    if not free:
        return ok("nothing is kept on this machine")
    folder = min(free, key=lambda folder: free[folder])
    left = f"{free[folder] / 1e9:,.1f} GB are left for {folder}."
    if free[folder] < NO_SPACE:
        return error(left, "Make room at once: without it nothing can be stored.")
    if free[folder] < LITTLE_SPACE:
        return warning(left, "Make room, or move old backups elsewhere.")
    return ok(left)


def certificate() -> Finding:
    cert, key = settings.SSL_CERT, settings.SSL_KEY
    there = [path for path in (cert, key) if path.is_file()]
    if not there:
        return ok("none here; --url looks at that of a proxy")
    if len(there) == 1:
        (missing,) = {cert, key} - set(there)
        return error(f"{missing} is missing, so that no TLS is served.", "Put it there, or set its variable.")
    if key.stat().st_mode & stat.S_IROTH:
        return error(f"Every user of this machine can read {key}.", f"chmod o-rwx {key}")
    try:
        served = handshake(cert, key)
    except (OSError, ssl.SSLError) as failure:
        return error(
            f"{cert} and {key} cannot be served: {_reason(failure)}.",
            "The key must be that of the certificate, without a password, and readable for the server.",
        )
    return check_certificate(
        served, public_hosts(), alone=cert.read_text(encoding="latin-1").count("BEGIN CERT") == 1
    )


def check_certificate(served: Certificate, names: Iterable[str], *, alone: bool) -> Finding:
    """`names` are hosts that it should name; `alone`, whether its file holds no issuer's certificate."""
    ends = datetime.fromtimestamp(ssl.cert_time_to_seconds(served["notAfter"]), UTC)
    left = ends - timezone.now()
    until = f"The certificate is good until {ends:%Y-%m-%d}"
    if left <= timedelta():
        return error(f"The certificate ran out on {ends:%Y-%m-%d}.", RENEW)
    if left < RENEW_BEFORE:
        return warning(f"{until}, {left.days} days.", RENEW)
    named = {name.lower() for _, name in served.get("subjectAltName", ())}
    unnamed = [name for name in names if not {name.lower(), f"*.{name.lower().partition('.')[2]}"} & named]
    if unnamed:
        return warning(
            f"It does not name {', '.join(unnamed)}, which AI_MESSAGE_DOMAIN does.",
            "Have one made for all names.",
        )
    if alone and served["issuer"] != served["subject"]:
        return warning(
            "The file holds no certificate of the issuer, without which many clients refuse it.",
            "Serve the whole chain (fullchain.pem), unless clients know the issuer itself.",
        )
    return ok(f"{until}, {left.days} days")


def handshake(cert: Path, key: Path) -> Certificate:
    """The certificate as a client sees it. Raises OSError or SSLError."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(cert, key, password=lambda: "")  # Without one, OpenSSL asks on the terminal.
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.load_verify_locations(cert)
    client.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN | _NO_CHECK_TIME
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [client.wrap_bio(back, there), server.wrap_bio(there, back, server_side=True)]
    for _ in range(4):  # TLS 1.3 takes three flights.
        for end in ends:
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
    return ends[0].getpeercert() or {}


def _reason(failure: Exception) -> str:
    return getattr(failure, "reason", None) or getattr(failure, "strerror", None) or type(failure).__name__


def static_files() -> Finding:
    missing = [name for name in STATIC_FILES if not (settings.STATIC_ROOT / name).is_file()]
    if missing:
        return error(
            f"{missing[0]} is not in {settings.STATIC_ROOT}: the admin and /docs have no styles.",
            "manage.py collectstatic --noinput",
        )
    return ok(str(settings.STATIC_ROOT))
