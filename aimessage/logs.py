"""Logging: the four files of the old backend, one for the audit trail, and the console.

`logger.info("...")` on one of the loggers in `FILES` lands in its file, whichever worker it comes
from. One event is one line, whatever a client put into it, and carries the request's id.
"""

import logging
import re
from contextvars import ContextVar
from pathlib import Path
from typing import Any

#: Logger names, each with a file of its own.
FILES = ("auth", "messages", "reports", "twilio_webhook", "audit")
MAX_BYTES = 1_000_000
BACKUPS = 50

#: Of the request that this thread is answering; `-` outside of one.
request_id: ContextVar[str] = ContextVar("request_id", default="-")

# C0, DEL and C1 controls, and the separators at which tools break lines (U+2028, U+2029).
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def one_line(text: str) -> str:
    """`text` with every control character and line separator written as an escape."""
    return _CONTROLS.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


class RequestIdFilter(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = request_id.get()
        return True


class OneLineFormatter(logging.Formatter):
    """Formats an event, traceback included, as one line, so that nobody can forge a second."""

    def format(self, record: logging.LogRecord) -> str:
        return one_line(super().format(record))


def logging_config(folder: Path) -> dict[str, Any]:
    """The `LOGGING` setting, with the files in `folder`."""
    line = {"formatter": "line", "filters": ["request_id"]}
    files = {
        name: {
            # The standard rotating handler loses lines when several processes write.
            "class": "concurrent_log_handler.ConcurrentRotatingFileHandler",
            "filename": str(folder / f"{name}.log"),
            "maxBytes": MAX_BYTES,
            "backupCount": BACKUPS,
            "encoding": "utf-8",
            **line,
        }
        for name in FILES
    }
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"request_id": {"()": RequestIdFilter}},
        "formatters": {
            "line": {
                "()": OneLineFormatter,
                "format": "%(asctime)s %(name)s %(levelname)s [%(request_id)s] %(message)s",
            }
        },
        "handlers": {"console": {"class": "logging.StreamHandler", **line}, **files},
        "loggers": {
            "django": {"handlers": ["console"], "level": "INFO", "propagate": False},
            # Answers with 4xx are the client's affair, and gunicorn's access log has them.
            "django.request": {"level": "ERROR"},
            "django.security.DisallowedHost": {"level": "CRITICAL"},
            "axes": {"handlers": ["console"], "level": "ERROR", "propagate": False},
            **{name: {"handlers": [name], "level": "INFO", "propagate": False} for name in FILES},
        },
        "root": {"handlers": ["console"], "level": "WARNING"},
    }
