"""What a request costs: microseconds of CPU in the worker and in its PostgreSQL backend, and queries.

    DATABASE_URL=postgresql://... python tools/benchmarks/microscope.py [--only me,messages] [--profile me]

The application is called in this process, without a server or a network, and next to it a floor: Django
without middleware that answers with one SELECT by primary key. All take turns, round by round, so that
what else the machine does falls on all of them alike; medians are printed. CPU time does not count
waiting, which is why this can be read on a busy machine where requests per second cannot.
"""

import argparse
import cProfile
import io
import os
import pstats
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "aimessage.settings")

from aimessage.wsgi import application  # which sets Django up

# isort: split
from django.core.handlers.wsgi import WSGIHandler
from django.db import connection
from django.db.models import Count, Max
from django.http import HttpRequest, HttpResponse
from django.test.utils import override_settings
from django.urls import URLResolver, path
from django.urls.resolvers import RegexPattern

from accounts.models import User
from accounts.services.sessions import open_session
from messaging.models import Message, Participant
from reports.models import Report

Ask = Callable[[], int]


def one_user(request: HttpRequest, pk: int) -> HttpResponse:
    return HttpResponse(User.objects.filter(pk=pk).values_list("username", flat=True).get())


class Floor(WSGIHandler):
    """Django with one URL and no middleware."""

    resolver = URLResolver(RegexPattern(r"^/"), [path("user/<int:pk>", one_user)])

    def load_middleware(self, is_async: bool = False) -> None:
        with override_settings(MIDDLEWARE=[]):
            super().load_middleware(is_async)

    def resolve_request(self, request: HttpRequest) -> Any:
        match = self.resolver.resolve(request.path_info)
        request.resolver_match = match
        return match


def asking(app: Any, method: str, url: str, token: str = "", body: bytes = b"") -> Ask:
    """A function that sends this request as gunicorn would, and returns the answer's length."""
    path_info, _, query = url.partition("?")
    base = {
        "REQUEST_METHOD": method,
        "PATH_INFO": path_info,
        "SCRIPT_NAME": "",
        "QUERY_STRING": query,
        "RAW_URI": url,
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "8000",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": "127.0.0.1:8000",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        "wsgi.input_terminated": True,
    }
    if token:
        base["HTTP_AUTHORIZATION"] = f"Bearer {token}"
    if body:
        base |= {"CONTENT_TYPE": "application/json", "CONTENT_LENGTH": str(len(body))}

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> None:
        if not status.startswith("2"):
            raise RuntimeError(f"{method} {url}: {status}")

    def ask() -> int:
        response = application_of({**base, "wsgi.input": io.BytesIO(body)}, start_response)
        try:
            return sum(map(len, response))
        finally:
            response.close()

    application_of = app
    return ask


def requests() -> dict[str, Ask]:
    """The hot endpoints, for whoever has most messages, and for an ordinary user."""
    counts = Participant.objects.values_list("user").annotate(n=Count("pk")).order_by("-n", "user")
    hot = User.objects.get(pk=counts[0][0])
    ordinary = User.objects.get(pk=counts.filter(n__lte=20)[0][0])
    reporter = User.objects.get(
        pk=Report.objects.values_list("reporter").annotate(n=Count("pk")).order_by("-n")[0][0]
    )
    tokens = {user.pk: open_session(user)[1].access_token for user in {hot, ordinary, reporter}}
    message = Message.objects.filter(recipient=ordinary).latest("pk")
    deep = Message.objects.filter(recipient=hot).order_by("-pk")[50_000:50_001]
    before = deep[0].pk if deep else Message.objects.aggregate(n=Max("pk"))["n"]
    partner = message.sender_id
    body = f'{{"recipient_id": {partner}, "content": "Shall we meet at noon?"}}'.encode()
    conversation = Participant.objects.filter(user=hot, last_message__isnull=False).latest("last_message")

    def get(url: str, user: User) -> Ask:
        return asking(application, "GET", url, tokens[user.pk])

    return {
        "floor": asking(Floor(), "GET", f"/user/{ordinary.pk}"),
        "health": asking(application, "GET", "/health"),
        "me": get("/auth/me", ordinary),
        "message": get(f"/messages/{message.pk}", ordinary),
        "unread": get("/messages/unread/count", ordinary),
        "messages": get("/messages", ordinary),
        "messages_hot": get("/messages", hot),
        "messages_deep": get(f"/messages?before={before}", hot),
        "messages_skip": get("/messages?skip=100", hot),
        "received": get("/messages/received", ordinary),
        "conversations": get("/auth/conversations", ordinary),
        "conversations_hot": get("/auth/conversations?limit=50", hot),
        "thread": get(f"/auth/conversations/{conversation.conversation_id}/messages", hot),
        "reports": get("/reports", reporter),
        "search_rare": get("/messages?search=rhubarb", hot),
        "search_middling": get("/messages?search=invoice", hot),
        "search_none": get("/messages?search=zeppelinquartz", hot),
        "search_short": get("/messages?search=qx", hot),
        "search_two": get("/messages?search=noon+tomorrow", hot),
        "search_often": get("/messages?search=noon", hot),
        "read": asking(application, "PUT", f"/messages/{message.pk}/read", tokens[ordinary.pk]),
        "send": asking(application, "POST", "/messages", tokens[ordinary.pk], body),
    }


def backend_cpu(pid: int) -> int:
    """Nanoseconds that the backend of this connection has run, 0 where it is not on this machine."""
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0])
    except OSError:
        return 0


def measure(ask: Ask, repeat: int, pid: int) -> tuple[float, float, float]:
    """Microseconds per request: CPU here, CPU in the backend, and elapsed."""
    backend, cpu, start = backend_cpu(pid), time.process_time_ns(), time.perf_counter_ns()
    for _ in range(repeat):
        ask()
    elapsed, cpu = time.perf_counter_ns() - start, time.process_time_ns() - cpu
    backend = backend_cpu(pid) - backend
    return cpu / repeat / 1000, backend / repeat / 1000, elapsed / repeat / 1000


def count_queries(ask: Ask) -> int:
    seen = []

    def note(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        seen.append(sql)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        ask()
    return len(seen)


def profile(ask: Ask, repeat: int) -> None:
    profiler = cProfile.Profile()
    profiler.enable()
    for _ in range(repeat):
        ask()
    profiler.disable()
    pstats.Stats(profiler).sort_stats("tottime").print_stats(45)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--only", default="", help="endpoints, comma-separated")
    parser.add_argument("--profile", default="", help="print a profile of this endpoint instead")
    options = parser.parse_args()
    asks = requests()
    if options.profile:
        asks[options.profile]()
        profile(asks[options.profile], 300)
        return
    wanted = options.only.split(",") if options.only else list(asks)
    asks = {name: ask for name, ask in asks.items() if name in wanted or name == "floor"}
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        pid = cursor.fetchone()[0]
    queries = {name: count_queries(ask) for name, ask in asks.items()}
    repeats = {}
    for name, ask in asks.items():
        start = time.perf_counter()
        for _ in range(5):
            ask()
        repeats[name] = max(3, min(40, int(0.05 / ((time.perf_counter() - start) / 5))))
    runs: dict[str, list[tuple[float, float, float]]] = {name: [] for name in asks}
    for _ in range(options.rounds):
        for name, ask in asks.items():
            runs[name].append(measure(ask, repeats[name], pid))
    floor = [cpu for cpu, _, _ in runs["floor"]]
    print(f"{'endpoint':<18}{'CPU µs':>9}{'backend':>9}{'elapsed':>9}{'queries':>9}{'floor/CPU':>11}")
    for name, run in runs.items():
        cpu, backend, elapsed = (median(column) for column in zip(*run, strict=True))
        ratio = median(own / mine[0] for own, mine in zip(floor, run, strict=True))
        print(f"{name:<18}{cpu:>9.0f}{backend:>9.0f}{elapsed:>9.0f}{queries[name]:>9}{ratio:>11.2f}")


if __name__ == "__main__":
    main()
