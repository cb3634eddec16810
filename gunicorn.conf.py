"""gunicorn's settings, from the environment (docs/settings.md), and its hooks."""

import gc
import json
import os
import sys
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from gunicorn import util

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "aimessage.settings")
try:
    settings.DEBUG  # noqa: B018  reads all settings
except ImproperlyConfigured as error:
    sys.exit(f"Error: {error}")

from aimessage.api.problems import INTERNAL_ERROR, PROBLEM_TYPE, Unreadable, problem
from aimessage.files import refuse_bad_certificate
from aimessage.jobs.embedded import worker as jobs
from aimessage.server import load, slots
from aimessage.server.addresses import start_url
from aimessage.server.logs import formatters

if TYPE_CHECKING:
    from gunicorn.arbiter import Arbiter

    from aimessage.server.outbox import Outbox
    from aimessage.server.worker import Worker

if settings.DATABASES["default"]["NAME"] == ":memory:":
    sys.exit("Error: DATABASE_URL names a database in memory: every thread would have one of its own.")
if settings.TLS:
    try:
        refuse_bad_certificate(settings.SSL_CERT, settings.SSL_KEY)
    except ImproperlyConfigured as error:
        sys.exit(f"Error: {error}")

# Only the server's own user can read what it writes.
os.umask(0o077)

wsgi_app = "aimessage.wsgi:application"
bind = f"[{settings.HOST}]" if ":" in settings.HOST else settings.HOST
bind += f":{settings.PORT}"
workers = settings.WORKERS
worker_class = "aimessage.server.worker.Worker"
threads = settings.THREADS
# Workers touch a file to show that they are alive; on a disk that can block.
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108
timeout = 60
graceful_timeout = 30
keepalive = 5
# gunicorn's maximum, so that the application answers long searches and absurd ids.
limit_request_line = 8190
certfile = str(settings.SSL_CERT) if settings.TLS else None
keyfile = str(settings.SSL_KEY) if settings.TLS else None
# Otherwise gunicorn listens for commands on a socket in the home directory.
control_socket_disable = True

# gunicorn trusts loopback addresses and unix sockets to set scheme and path. Here only the application
# trusts proxies, as AI_MESSAGE_TRUSTED_PROXIES says.
forwarded_allow_ips = ""
secure_scheme_headers: dict[str, str] = {}
forwarder_headers = ""
header_map = "drop"
proxy_protocol = "off"

accesslog = "-"
logger_class = "aimessage.server.access_log.AccessLogger"
# %(U)s leaves out the query string, since what people search for is private.
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


def write_problem(sock: "Outbox", status_int: int, reason: str, mesg: str) -> None:
    """Answers requests that gunicorn refuses, as with a broken request line, in the API's error format."""
    if status_int == HTTPStatus.NOT_IMPLEMENTED:
        # An unknown transfer coding is the client's fault, like any other broken body.
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


# --- Workers; aimessage/server/slots.py explains slots ------------------------------------------------


def on_starting(server: "Arbiter") -> None:
    slots.open_folder()
    if server.cfg.preload_app:
        server.log.warning("preload_app: /metrics will know of one worker alone")


def on_reload(server: "Arbiter") -> None:
    jobs.restart()


def on_exit(server: "Arbiter") -> None:
    jobs.stop()
    slots.close_folder()


def when_ready(server: "Arbiter") -> None:
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


def pre_fork(server: "Arbiter", worker: "Worker") -> None:
    worker.max_body = settings.MAX_BODY_SIZE
    worker.max_streams = settings.STREAMS
    worker.bounds_addresses = settings.TRUSTED_PROXIES == 0
    worker.slot = slots.free_slot(other.slot for other in server.WORKERS.values())
    load.forget(worker.slot)


def post_fork(server: "Arbiter", worker: "Worker") -> None:
    slots.enter_slot(worker.slot)
    # Loading the application makes no garbage, and to look for some takes an eighth of the start.
    gc.disable()


def post_worker_init(worker: "Worker") -> None:
    from aimessage.api.guesses import QUEUE
    from aimessage.server.metrics import WORKER_STARTS

    QUEUE.bound(threads=worker.cfg.threads)
    WORKER_STARTS.inc()
    # The application is loaded by now and stays for good, so the garbage collector need not visit it.
    gc.collect()
    gc.freeze()
    gc.enable()


def child_exit(server: "Arbiter", worker: "Worker") -> None:
    load.forget(worker.slot)
    slots.leave_slot(worker.slot)
