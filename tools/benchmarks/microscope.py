"""Measures the CPU time of requests, by calling the application in this process.

`make bench-compare` starts one in each of two checkouts, and sends lines of JSON: {"do", "requests",
"repeat"}. CPU time leaves out waiting, so it can be compared on a busy machine; requests per second cannot.
"""

import cProfile
import io
import json
import os
import pstats
import sys
import time
from collections.abc import Callable, Iterator
from itertools import count, cycle
from pathlib import Path
from typing import Any, TypedDict

# Standard output is for answers alone: what the application prints goes to standard error.
ANSWERS = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
sys.path.insert(0, os.getcwd())
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "aimessage.settings")

from aimessage.wsgi import application  # which sets Django up

# isort: split
from django.core.handlers.wsgi import WSGIHandler
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.test.utils import override_settings
from django.urls import ResolverMatch, URLResolver, path
from django.urls.resolvers import RegexPattern

from accounts.models import User

NUMBERS = count()


class Request(TypedDict):
    """tools.benchmarks.load.Request as JSON."""

    path: str
    method: str
    headers: dict[str, str]
    body: str


def one_user(request: HttpRequest, pk: int) -> HttpResponse:
    return HttpResponse(User.objects.filter(pk=pk).values_list("username", flat=True).get())


class Floor(WSGIHandler):
    """Django with one URL and no middleware, and one SELECT by primary key."""

    resolver = URLResolver(RegexPattern(r"^/"), [path("floor/<int:pk>", one_user)])

    def load_middleware(self, is_async: bool = False) -> None:
        with override_settings(MIDDLEWARE=[]):
            super().load_middleware(is_async)

    def resolve_request(self, request: HttpRequest) -> ResolverMatch:
        match = self.resolver.resolve(request.path_info)
        request.resolver_match = match
        return match


FLOOR = Floor()


def environ(request: Request) -> dict[str, object]:
    # As gunicorn makes it.
    path_info, _, query = request["path"].partition("?")
    body = request["body"].replace("{n}", f"{os.getpid()}-{next(NUMBERS)}").encode()
    headers = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in request["headers"].items()}
    return {
        "REQUEST_METHOD": request["method"],
        "PATH_INFO": path_info,
        "SCRIPT_NAME": "",
        "QUERY_STRING": query,
        "RAW_URI": request["path"],
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "8000",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": "127.0.0.1:8000",
        "CONTENT_TYPE": headers.pop("HTTP_CONTENT_TYPE", ""),
        "CONTENT_LENGTH": str(len(body)) if body else "",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        "wsgi.input_terminated": True,
        **headers,
    }


def send(request: Request) -> None:
    def start_response(status: str, headers: list[tuple[str, str]], exc_info: object = None) -> None:
        if not status.startswith("2"):
            raise RuntimeError(f"{request['method']} {request['path']}: {status}")

    app: Any = FLOOR if request["path"].startswith("/floor/") else application
    response = app(environ(request), start_response)
    for _ in response:
        pass
    response.close()


def backend_cpu() -> int:
    # In nanoseconds.
    connection.ensure_connection()
    return int(Path(f"/proc/{connection.connection.info.backend_pid}/schedstat").read_text().split()[0])


def measure(requests: Iterator[Request], repeat: int) -> tuple[float, float]:
    """Microseconds of CPU per request, in this process and in the backend."""
    backend, cpu = backend_cpu(), time.process_time_ns()
    for _ in range(repeat):
        send(next(requests))
    cpu = time.process_time_ns() - cpu
    return cpu / repeat / 1000, (backend_cpu() - backend) / repeat / 1000


def queries(requests: Iterator[Request], repeat: int) -> int:
    seen = []

    def note(execute: Callable[..., object], sql: str, params: object, many: bool, context: object) -> object:
        seen.append(sql)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        send(next(requests))
    return len(seen)


def profile(requests: Iterator[Request], repeat: int) -> str:
    with cProfile.Profile() as profiler:
        for _ in range(repeat):
            send(next(requests))
    printed = io.StringIO()
    pstats.Stats(profiler, stream=printed).sort_stats("tottime").print_stats(40)
    return printed.getvalue()


for line in sys.stdin:
    asked = json.loads(line)
    do: Callable[..., object] = {"measure": measure, "queries": queries, "profile": profile}[asked["do"]]
    print(json.dumps(do(cycle(asked["requests"]), asked["repeat"])), file=ANSWERS, flush=True)
