"""Logging: the four files of the old backend, one for the audit trail, and the console; as text, or as JSON.

`logger.info("...")` on one of the loggers in `FILES` lands in its file, whichever worker it comes
from. One event is one line, whatever a client put into it, and carries the request's id.
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

#: Logger names, each with a file of its own.
FILES = ("auth", "messages", "reports", "twilio_webhook", "audit")
MAX_BYTES = 1_000_000
#: Characters of a line, and of each text of one in JSON. Tracebacks have fewer.
LINE_MAX_LENGTH = 20_000
BACKUPS = 50

#: The id of the request that this thread is answering; `-` outside of one.
request_id: ContextVar[str] = ContextVar("request_id", default="-")

# C0, DEL and C1 controls, the separators at which tools break lines (U+2028, U+2029), and what turns the
# direction of text about, so that a line would not read in the order in which it stands (Unicode's
# Bidi_Control; CVE-2021-42574 did that to source code).
_CONTROLS = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]"
)


def one_line(text: str) -> str:
    """`text` with every control character, of lines and of direction, written as an escape."""
    return _CONTROLS.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


def _cut(text: str) -> str:
    """The beginning and the end, where a traceback says what went wrong, of what is too long."""
    if len(text) <= LINE_MAX_LENGTH:
        return text
    half = LINE_MAX_LENGTH // 2
    return f"{text[:half]} [... {len(text) - 2 * half} characters left out ...] {text[-half:]}"


class RequestIdFilter(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = request_id.get()
        return True


class OneLineFormatter(logging.Formatter):
    """Formats an event, traceback included, as one line, so that nobody can forge a second."""

    def format(self, record: logging.LogRecord) -> str:
        return one_line(_cut(super().format(record)))


class JsonFormatter(logging.Formatter):
    """Formats an event as one line of JSON, whose members a client can add to no more than lines.

    What `extra=` passed on comes along where it is a plain value. Objects are left out, since nobody
    knows what their text holds: that of a request has what somebody searched for.
    """

    def format(self, record: logging.LogRecord) -> str:
        described = self.describe(record)
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
        added = {**described, **vars(record)}
        for name, value in added.items():
            if name not in _TAKEN and _is_plain(value):
                event[name] = _cut(value) if isinstance(value, str) else value
        # ASCII alone: no control character, line separator or lone surrogate is left as it is.
        return json.dumps(event, ensure_ascii=True)

    def describe(self, record: logging.LogRecord) -> dict[str, Any]:
        """More members than the record has."""
        return {}


class JsonAccessFormatter(JsonFormatter):
    """gunicorn's access log: what its line says, by name. Without the query string, as there."""

    def describe(self, record: logging.LogRecord) -> dict[str, Any]:
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
    """Makes of Django's report on a Host header one short line that says what to do.

    Anyone can send any Host, so no more than `PER_MINUTE` lines a minute come from one process.
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
        request: Any = getattr(record, "request", None)
        host = request.META.get("HTTP_HOST", "") if request else ""
        record.levelno, record.levelname = logging.WARNING, "WARNING"
        record.msg = "Host %r was refused: AI_MESSAGE_DOMAIN does not list it"
        record.args, record.exc_info = (host[: self.LONGEST],), None
        return self.count <= self.PER_MINUTE


class NoScrapesFilter(logging.Filter):
    """Leaves out of the access log what Prometheus asks for every few seconds, where it got it."""

    def filter(self, record: logging.LogRecord) -> bool:
        atoms: Any = record.args
        return not (atoms["U"] == "/metrics" and str(atoms["s"]) == "200")


#: What every record has, and what an event's own members are called: `extra=` overwrites neither.
_TAKEN = {*vars(logging.makeLogRecord({})), "message", "asctime", "time", "level", "logger", "request_id"}
_TAKEN |= {"exception", "stack"}


def _is_plain(value: object) -> bool:
    return value is None or isinstance(value, str | int) or (isinstance(value, float) and isfinite(value))


def formatters(log_format: str) -> dict[str, Any]:
    """For `dictConfig`: `line` for events, `server` and `access` for gunicorn's, as text or as JSON."""
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


def logging_config(folder: Path | None, log_format: str = "text") -> dict[str, Any]:
    """The `LOGGING` setting, with the files in `folder`, or everything on the console without one."""
    line = {"formatter": "line", "filters": ["request_id"]}
    files: dict[str, Any] = {}
    for name in FILES if folder else ():
        files[name] = {
            # The standard rotating handler loses lines when several processes write.
            "class": "concurrent_log_handler.ConcurrentRotatingFileHandler",
            # Readable by the owner alone; the rotated ones, too.
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
            # Answers with 4xx are the client's affair, and gunicorn's access log has them.
            "django.request": {"level": "ERROR"},
            "django.security.DisallowedHost": {"filters": ["refused_host"]},
            "aimessage.jobs": {"handlers": ["console"], "level": "INFO", "propagate": False},
            "aimessage.events": {"handlers": ["console"], "level": "INFO", "propagate": False},
            # What the line before says, once more.
            "django_tasks": {"level": "CRITICAL"},
            **{
                name: {"handlers": [name if folder else "console"], "level": "INFO", "propagate": False}
                for name in FILES
            },
        },
        "root": {"handlers": ["console"], "level": "WARNING"},
    }
