"""Logging: the old backend's four files, one for the audit trail, and the console; as text or as JSON.

Whatever is logged on one of the loggers in `FILES` is written to its file, from every worker. One event is
one line, whatever a client put into it, and has the request's id.
"""

import json
import logging
import re
from contextvars import ContextVar
from datetime import UTC, datetime
from math import isfinite
from pathlib import Path
from time import monotonic
from typing import Any

#: The loggers that have a file.
FILES = ("auth", "messages", "reports", "twilio_webhook", "audit")
MAX_BYTES = 1_000_000
#: Characters of a line, and of each text in JSON. Tracebacks are shorter.
LINE_MAX_LENGTH = 20_000
BACKUPS = 50

#: The id of the request that this thread is answering; `-` outside of a request.
request_id: ContextVar[str] = ContextVar("request_id", default="-")

# C0, DEL and C1 controls, the separators at which tools break lines (U+2028, U+2029), lone surrogates, and
# Unicode's Bidi_Control, which reorders the text on the screen (as in CVE-2021-42574).
_CONTROLS = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]"
)


def one_line(text: str) -> str:
    """Escapes control characters, line separators and bidirectional controls."""
    return _CONTROLS.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


def _cut(text: str) -> str:
    if len(text) <= LINE_MAX_LENGTH:
        return text
    # The end is kept as well: a traceback names the error there.
    half = LINE_MAX_LENGTH // 2
    return f"{text[:half]} [... {len(text) - 2 * half} characters left out ...] {text[-half:]}"


class RequestIdFilter(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = request_id.get()
        return True


class OneLineFormatter(logging.Formatter):
    """Writes an event and its traceback as one line, so that nobody can forge a second."""

    def format(self, record: logging.LogRecord) -> str:
        return one_line(_cut(super().format(record)))


class JsonFormatter(logging.Formatter):
    """Writes an event as one line of JSON.

    Values of `extra=` are included if they are plain. Objects are left out, since their text may be private:
    a request's has the search words.
    """

    def format(self, record: logging.LogRecord) -> str:
        more = self.more_members(record)
        event = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="microseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": _cut(record.getMessage()),
            "request_id": getattr(record, "request_id", request_id.get()),
        }
        if record.exc_info:
            event["exception"] = _cut(self.formatException(record.exc_info))
        if record.stack_info:
            event["stack"] = _cut(self.formatStack(record.stack_info))
        added = {**more, **vars(record)}
        for name, value in added.items():
            if name not in _TAKEN and _is_plain(value):
                event[name] = _cut(value) if isinstance(value, str) else value
        # ASCII, so that control characters, line separators and lone surrogates are escaped.
        return json.dumps(event, ensure_ascii=True)

    def more_members(self, record: logging.LogRecord) -> dict[str, object]:
        return {}


class JsonAccessFormatter(JsonFormatter):
    """gunicorn's access log. It leaves out the query string, as the text format does."""

    def more_members(self, record: logging.LogRecord) -> dict[str, object]:
        atoms: Any = record.args
        record.request_id = atoms["{x-request-id}o"]
        return {
            "client": atoms["h"],
            "method": atoms["m"],
            "path": atoms["U"],
            "status": int(atoms["s"]),
            "bytes": atoms["B"],
            "seconds": float(atoms["L"]),
        }


class RefusedHostFilter(logging.Filter):
    """Replaces Django's report of a refused Host header by one short line that says what to do.

    Anyone can send any Host, so one process logs at most `PER_MINUTE` of them a minute.
    """

    PER_MINUTE = 100
    LONGEST = 255

    def __init__(self, name: str = "") -> None:
        super().__init__(name)
        self.minute, self.count = 0, 0

    def filter(self, record: logging.LogRecord) -> bool:
        minute = int(monotonic() // 60)
        if minute != self.minute:
            self.minute, self.count = minute, 0
        self.count += 1
        request = getattr(record, "request", None)
        host = request.META.get("HTTP_HOST", "") if request else ""
        record.levelno, record.levelname = logging.WARNING, "WARNING"
        record.msg = "Host %r was refused: AI_MESSAGE_DOMAIN does not list it"
        record.args, record.exc_info = (host[: self.LONGEST],), None
        return self.count <= self.PER_MINUTE


class NoScrapesFilter(logging.Filter):
    """Leaves successful scrapes by Prometheus, which come every few seconds, out of the access log."""

    def filter(self, record: logging.LogRecord) -> bool:
        atoms: Any = record.args
        return not (atoms["U"] == "/metrics" and str(atoms["s"]) == "200")


#: Attributes of every record, and members of every event: `extra=` overwrites neither.
_TAKEN = {*vars(logging.makeLogRecord({})), "message", "asctime", "time", "level", "logger", "request_id"}
_TAKEN |= {"exception", "stack"}


def _is_plain(value: object) -> bool:
    return value is None or isinstance(value, str | int) or (isinstance(value, float) and isfinite(value))


def formatters(log_format: str) -> dict[str, dict[str, object]]:
    if log_format == "json":
        return {
            "line": {"()": JsonFormatter},
            "server": {"()": JsonFormatter},
            "access": {"()": JsonAccessFormatter},
        }
    event = "%(asctime)s %(name)s %(levelname)s [%(request_id)s] %(message)s"
    server = "%(asctime)s %(name)s %(levelname)s %(message)s"
    return {
        "line": {"()": OneLineFormatter, "format": event},
        "server": {"()": OneLineFormatter, "format": server},
        "access": {"()": OneLineFormatter, "format": server},
    }


def logging_config(folder: Path | None, log_format: str = "text") -> dict[str, object]:
    line = {"formatter": "line", "filters": ["request_id"]}
    files: dict[str, dict[str, object]] = {}
    for name in FILES if folder else ():
        files[name] = {
            # The standard rotating handler loses lines when several processes write.
            "class": "concurrent_log_handler.ConcurrentRotatingFileHandler",
            # Readable by the owner only; rotated files, too.
            "chmod": 0o600,
            "filename": f"{folder}/{name}.log",
            "maxBytes": MAX_BYTES,
            "backupCount": BACKUPS,
            "encoding": "utf-8",
            **line,
        }
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"request_id": {"()": RequestIdFilter}, "refused_host": {"()": RefusedHostFilter}},
        "formatters": formatters(log_format),
        "handlers": {"console": {"class": "logging.StreamHandler", **line}, **files},
        "loggers": {
            "django": {"handlers": ["console"], "level": "INFO", "propagate": False},
            # 4xx answers are the client's fault, and in gunicorn's access log.
            "django.request": {"level": "ERROR"},
            "django.security.DisallowedHost": {"filters": ["refused_host"]},
            "aimessage.jobs": {"handlers": ["console"], "level": "INFO", "propagate": False},
            "aimessage.events": {"handlers": ["console"], "level": "INFO", "propagate": False},
            # Repeats what aimessage.jobs logs.
            "django_tasks": {"level": "CRITICAL"},
            **{
                name: {"handlers": [name if folder else "console"], "level": "INFO", "propagate": False}
                for name in FILES
            },
        },
        "root": {"handlers": ["console"], "level": "WARNING"},
    }
