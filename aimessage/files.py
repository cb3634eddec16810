"""Checks the files that the server needs, and creates those that only its own user may read."""

import os
import sqlite3
import ssl
import stat
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, ClassVar

from django.core.exceptions import ImproperlyConfigured

from aimessage.server.logs import FILES

#: Modes of files and folders that only their owner can use.
PRIVATE, PRIVATE_FOLDER = 0o600, 0o700


def create_private(path: str | os.PathLike[str]) -> None:
    """Creates an empty file that only its owner can read, unless the file exists."""
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, PRIVATE))


def close_to_others(path: str | os.PathLike[str]) -> None:
    with suppress(OSError):
        mode = stat.S_IMODE(os.stat(path).st_mode)
        if mode & 0o077:
            os.chmod(path, mode & ~0o077)


class PrivateConnection(sqlite3.Connection):
    """Makes the database's files readable only by their owner; SQLite gives new log files the same mode."""

    #: Names of databases that are done.
    seen: ClassVar[set[str]] = set()

    def __init__(self, database: str | os.PathLike[str], *args: Any, **kwargs: Any) -> None:
        name = os.fspath(database)
        if name not in self.seen and name != ":memory:" and not name.startswith("file:"):
            # SQLite reports a missing or unreadable folder.
            with suppress(OSError):
                create_private(name)
            for end in ("", "-wal", "-shm", "-journal"):
                close_to_others(f"{name}{end}")
            self.seen.add(name)
        super().__init__(database, *args, **kwargs)


def serves_tls(cert: Path, key: Path, *, named: bool) -> bool:
    """Whether both files exist.

    Raises ImproperlyConfigured if only one exists, if one cannot be read, or if `named` files (which are not
    the default ones) are missing.
    """
    there = {}
    for name, path in (("AI_MESSAGE_SSL_CERT", cert), ("AI_MESSAGE_SSL_KEY", key)):
        try:
            there[name] = path.exists()
            if there[name]:
                path.open("rb").close()
        except OSError as error:
            raise ImproperlyConfigured(
                f"{name}: {path} cannot be read: {error.strerror}. This process is user {os.getuid()}."
            ) from None
    missing = [name for name, found in there.items() if not found]
    if len(missing) == 1 or (missing and named):
        path = cert if missing[0].endswith("CERT") else key
        raise ImproperlyConfigured(f"{missing[0]}: there is no file {path}. TLS needs both files.")
    return not missing


def refuse_bad_certificate(cert: Path, key: Path) -> None:
    try:
        # Otherwise OpenSSL asks for a password on the terminal.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(cert, key, password=lambda: "")
    except (OSError, ssl.SSLError) as error:
        reason = getattr(error, "reason", None) or error.strerror or type(error).__name__
        raise ImproperlyConfigured(
            f"AI_MESSAGE_SSL_CERT={cert} and AI_MESSAGE_SSL_KEY={key} cannot be served: {reason}. The key"
            " must be the certificate's own, without a password."
        ) from None


def open_log_folder(folder: Path) -> None:
    """Creates the folder; raises ImproperlyConfigured if no log can be written there."""
    try:
        folder.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
    except OSError as error:
        raise ImproperlyConfigured(
            f"AI_MESSAGE_LOGS_FOLDER={folder} cannot be made: {error.strerror}."
        ) from None
    try:
        TemporaryFile(dir=folder).close()
        for name in FILES:
            with suppress(FileNotFoundError), (folder / f"{name}.log").open("r+b"):
                pass
    except OSError as error:
        raise ImproperlyConfigured(
            f"AI_MESSAGE_LOGS_FOLDER={folder}: {Path(error.filename or folder).name} cannot be written to:"
            f" {error.strerror}. This process is user {os.getuid()}."
        ) from None
