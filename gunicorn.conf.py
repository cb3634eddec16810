"""The server, from the environment; docs/settings.md lists the variables."""

import gc
import json
import os
import sys
from http import HTTPStatus
from pathlib import Path
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from gunicorn import util

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "aimessage.settings")
try:
    settings.DEBUG  # noqa: B018  reads all of them
except ImproperlyConfigured as error:
    sys.exit(f"Error: {error}")

from aimessage.api.problems import INTERNAL_ERROR, PROBLEM_TYPE, Unreadable, problem
from aimessage.files import refuse_bad_certificate
from aimessage.jobs.embedded import worker as jobs
from aimessage.server import load, slots
from aimessage.server.addresses import start_url
from aimessage.server.logs import formatters

if settings.DATABASES["default"]["NAME"] == ":memory:":
    sys.exit("Error: DATABASE_URL names a database in memory: every thread would have one of its own.")
if settings.TLS:
    try:
        refuse_bad_certificate(settings.SSL_CERT, settings.SSL_KEY)
    except ImproperlyConfigured as error:
        sys.exit(f"Error: {error}")

# Whatever the server writes is for its own user.
os.umask(0o077)

wsgi_app = "aimessage.wsgi:application"
bind = f"[{settings.HOST}]" if ":" in settings.HOST else settings.HOST
bind += f":{settings.PORT}"
workers = settings.WORKERS
# Threads keep idle connections, which browsers open ahead, from holding a worker each.
worker_class = "aimessage.server.worker.Worker"
threads = settings.THREADS
# What workers tell that they are alive by is a file, which on a disk can be waited for.
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108
timeout = 60
graceful_timeout = 30
keepalive = 5
# The most that gunicorn can; a long search, or an absurd id, is for the application to answer.
limit_request_line = 8190
certfile = str(settings.SSL_CERT) if settings.TLS else None
keyfile = str(settings.SSL_KEY) if settings.TLS else None
# It would listen for commands on a socket in the home directory.
control_socket_disable = True

# gunicorn would believe loopback addresses and unix sockets about the scheme and the path. Here only the
# application believes a proxy, as far as AI_MESSAGE_TRUSTED_PROXIES goes.
forwarded_allow_ips = ""
secure_scheme_headers: dict[str, str] = {}
forwarder_headers = ""
header_map = "drop"
proxy_protocol = "off"

accesslog = "-"
logger_class = "aimessage.server.access_log.AccessLogger"
# %(U)s has no query string: what people search for is nobody's business.
access_log_format = '%(h)s "%(m)s %(U)s" %(s)s %(B)s bytes %(L)s s [%({x-request-id}o)s]'
logconfig_dict = {
    "filters": {"no_scrapes": {"()": "aimessage.server.logs.NoScrapesFilter"}},
    "formatters": formatters(settings.LOG_FORMAT),
    "handlers": {
        "stdout": {
            "class": "logging.StreamHandler",
            "formatter": "access",
            "filters": ["no_scrapes"],
            "stream": "ext://sys.stdout",
        },
        "stderr": {"class": "logging.StreamHandler", "formatter": "server", "stream": "ext://sys.stderr"},
    },
    "root": {"level": "WARNING", "handlers": ["stderr"]},
    "loggers": {
        "gunicorn.error": {"level": "INFO", "handlers": ["stderr"], "propagate": False},
        "gunicorn.access": {"level": "INFO", "handlers": ["stdout"], "propagate": False},
    },
}


def write_problem(sock: Any, status_int: int, reason: str, mesg: str) -> None:
    """Answers what never reached the application, as a broken request line, in the one error shape."""
    if status_int == HTTPStatus.NOT_IMPLEMENTED:
        # A transfer coding that it does not know: the client's fault, as any other broken body.
        status_int = HTTPStatus.BAD_REQUEST.value
    if status_int == HTTPStatus.BAD_REQUEST:
        error = Unreadable("The request could not be read")
        body = problem(status_int, error.detail, code=error.code, errors=error.errors)
    else:
        body = problem(status_int, "The request could not be read" if status_int < 500 else INTERNAL_ERROR)
    content = json.dumps({**body, "title": reason}).encode()
    head = (
        f"HTTP/1.1 {status_int} {reason}\r\n"
        "Connection: close\r\n"
        f"Content-Type: {PROBLEM_TYPE}\r\n"
        "X-Content-Type-Options: nosniff\r\n"
        "Cache-Control: no-store\r\n"
        f"X-Request-ID: {uuid4().hex}\r\n"
        f"Content-Length: {len(content)}\r\n\r\n"
    )
    util.write_nonblock(sock, head.encode("latin-1") + content)


util.write_error = write_problem


# --- Workers; what /metrics counts across them is explained in aimessage/server/slots.py --------------


def on_starting(server: Any) -> None:
    slots.open_folder()
    if server.cfg.preload_app:
        server.log.warning("preload_app: /metrics will know of one worker alone")


def on_reload(server: Any) -> None:
    jobs.restart()


def on_exit(server: Any) -> None:
    jobs.stop()
    slots.close_folder()


def when_ready(server: Any) -> None:
    """Says where to look: 0.0.0.0 is no address to open, and names that are not allowed are refused."""
    for sentence in settings.UNKNOWN_VARIABLES:
        server.log.warning(sentence)
    for address in server.cfg.address:
        if not isinstance(address, tuple):  # a unix socket
            continue
        url = start_url(address, tls=server.cfg.is_ssl, https=settings.HTTPS, hosts=settings.ALLOWED_HOSTS)
        if url:
            server.log.info("Open %s", url)
        else:
            server.log.warning("AI_MESSAGE_DOMAIN names no host that leads to %s", address[0])
    if settings.JOBS == "embedded":
        jobs.start()


def pre_fork(server: Any, worker: Any) -> None:
    worker.max_body = settings.MAX_BODY_SIZE
    worker.max_streams = settings.STREAMS
    worker.bounds_addresses = settings.TRUSTED_PROXIES == 0
    worker.slot = slots.free_slot(other.slot for other in server.WORKERS.values())
    load.forget(worker.slot)


def post_fork(server: Any, worker: Any) -> None:
    slots.enter_slot(worker.slot)


def post_worker_init(worker: Any) -> None:
    from aimessage.api.guesses import QUEUE
    from aimessage.server.metrics import WORKER_STARTS

    QUEUE.bound(threads=worker.cfg.threads)
    WORKER_STARTS.inc()
    # Spares the garbage collector what stays for good: the application, loaded by now.
    gc.collect()
    gc.freeze()


def child_exit(server: Any, worker: Any) -> None:
    load.forget(worker.slot)
    slots.leave_slot(worker.slot)
