"""The queries and the time of every page of the admin, over admin_rows.sql; writes a table to the screen.

    createdb aim_pages
    DATABASE_URL=postgresql://postgres@127.0.0.1/aim_pages .venv/bin/python -m tools.benchmarks.admin_pages

The database has to be empty; a second run measures again over what the first has loaded. Each page is asked
for in this process, by Django's test client, so that the figures are the server's work and nothing else.
"""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "aimessage.settings")
os.environ.setdefault("AI_MESSAGE_LOGS_FOLDER", "-")
ROWS = Path(__file__).with_name("admin_rows.sql")
#: Requests of each page that are timed; the first of all, which fills caches, is not among them.
TIMES = 7

USERS, ROLES, REPORTS = "/admin/accounts/user/", "/admin/accounts/role/", "/admin/reports/report/"
SESSIONS, FAILURES, ENTRIES = (
    "/admin/accounts/session/",
    "/admin/accounts/failedlogin/",
    "/admin/audit/entry/",
)


def load() -> None:
    from django.core.management import call_command
    from django.db import connection

    from accounts.models import User

    if connection.vendor != "postgresql":
        sys.exit("DATABASE_URL has to name a PostgreSQL.")
    call_command("migrate", verbosity=0)
    if User.objects.exists():
        return
    print("Loading ...", file=sys.stderr)
    # The index of the searches is built at once, afterwards.
    call_command("migrate", "messaging", "0002_message_keyed", verbosity=0)
    with connection.cursor() as cursor:
        cursor.execute(ROWS.read_text())
    call_command("migrate", verbosity=0)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")


def pages() -> list[tuple[str, str, dict[str, Any] | None]]:
    """What it is called, its address, and what is posted there, None for a GET."""
    from accounts.models import Session
    from reports.models import Report

    opened = Report.objects.filter(status="open", message__isnull=False).order_by("pk")
    some = list(opened.values_list("pk", flat=True)[:50])
    people = list(range(101, 151))
    live = list(Session.objects.live().order_by("-pk").values_list("pk", flat=True)[:50])
    role = 1
    lists = [
        ("Home", "/admin/"),
        ("Queue", REPORTS),
        ("Queue: open", f"{REPORTS}?status__exact=open"),
        ("Queue: resolved", f"{REPORTS}?status__exact=resolved"),
        ("Queue: mine", f"{REPORTS}?assigned=me"),
        ("Queue: over a week, about a message", f"{REPORTS}?older=week&about=message"),
        ("Queue: page 100", f"{REPORTS}?p=100"),
        ("Queue: search", f"{REPORTS}?q=number+4321"),
        ("Queue: search of a name", f"{REPORTS}?q=mara.4"),
        ("Queue: a year", f"{REPORTS}?created_at__year={_year()}"),
        ("Report", f"{REPORTS}{some[0]}/change/"),
        ("Report: history", f"{REPORTS}{some[0]}/history/"),
        ("Report: delete", f"{REPORTS}{some[0]}/delete/"),
        ("Users", USERS),
        ("Users: page 100", f"{USERS}?p=100"),
        ("Users: active", f"{USERS}?is_active__exact=1"),
        ("Users: disabled", f"{USERS}?is_active__exact=0"),
        ("Users: staff", f"{USERS}?is_staff__exact=1"),
        ("Users: role", f"{USERS}?role={role}"),
        ("Users: locked out", f"{USERS}?locked=out"),
        ("Users: last login in a week", f"{USERS}?last_login=week"),
        ("Users: never logged in", f"{USERS}?last_login=never"),
        ("Users: reported, unresolved", f"{USERS}?reported=unresolved"),
        ("Users: reported, ever", f"{USERS}?reported=ever"),
        ("Users: search of a name", f"{USERS}?q=mara"),
        ("Users: search of two words", f"{USERS}?q=mara+lind"),
        ("Users: search of an e-mail", f"{USERS}?q=mara.4200%40example.org"),
        ("Users: search of a phone number", f"{USERS}?q=030+1004200"),
        ("Users: search in vain", f"{USERS}?q=zeppelin"),
        ("User", f"{USERS}21/change/"),
        ("User with 200,000 messages", f"{USERS}10/change/"),
        ("User: add", f"{USERS}add/"),
        ("User: password", f"{USERS}21/password/"),
        ("User: history", f"{USERS}21/history/"),
        ("User: delete", f"{USERS}21/delete/"),
        ("User with 200,000 messages: delete", f"{USERS}10/delete/"),
        ("Roles", ROLES),
        ("Role", f"{ROLES}{role}/change/"),
        ("Role: delete", f"{ROLES}{role}/delete/"),
        ("Sessions", SESSIONS),
        ("Sessions: live", f"{SESSIONS}?state=live"),
        ("Sessions: search", f"{SESSIONS}?q=mara.4"),
        ("Session", f"{SESSIONS}{live[0]}/change/"),
        ("Failed logins", FAILURES),
        ("Failed logins: a day", f"{FAILURES}?since=day"),
        ("Failed logins: search", f"{FAILURES}?q=mara.4"),
        ("Audit trail", ENTRIES),
        ("Audit trail: an act", f"{ENTRIES}?act=user.disabled"),
        ("Audit trail: search", f"{ENTRIES}?q=number+42"),
        ("Audit entry", f"{ENTRIES}4200/change/"),
        ("Own password", "/admin/password_change/"),
    ]
    asked: list[tuple[str, str, dict[str, Any] | None]] = [(name, url, None) for name, url in lists]
    for name, url, action, picked in [
        ("Confirm: claim 50 reports", REPORTS, "claim", some),
        ("Confirm: resolve 50 reports", REPORTS, "resolve", some),
        ("Confirm: disable 50 users", USERS, "disable", people),
        ("Confirm: give 50 users a role", USERS, "give_role", people),
        ("Confirm: delete 50 users", USERS, "delete_selected", people),
        ("Confirm: end 50 sessions", SESSIONS, "end", live),
    ]:
        asked.append((name, url, {"action": action, "_selected_action": picked}))
    return asked


def _year() -> int:
    return time.gmtime().tm_year


def measure(ask: Callable[[], Any]) -> tuple[int, float, float, float]:
    """Queries, milliseconds at best and in the middle, and of this process alone at best."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(connection) as queries:
        answer = ask()
    count = len(queries)  # which later requests empty
    if answer.status_code != 200:
        raise SystemExit(f"{answer.status_code} {answer.get('Location', '')}")
    spent, cpu = [], []
    for _ in range(TIMES):
        start, own = time.perf_counter(), time.process_time()
        ask()
        spent.append(1000 * (time.perf_counter() - start))
        cpu.append(1000 * (time.process_time() - own))
    return count, min(spent), median(spent), min(cpu)


def main() -> None:
    django.setup()
    import logging

    from django.conf import settings
    from django.test import Client

    from accounts.models import User

    logging.disable(logging.WARNING)
    settings.ALLOWED_HOSTS = ["testserver"]
    settings.SECURE_SSL_REDIRECT = False
    load()
    print("| page | queries | best, ms | median, ms | CPU of Python, ms |\n|---|---|---|---|---|")
    for who, only in (("root", ""), ("moderator", "Home")):
        desk = Client()
        desk.force_login(User.objects.get(username=who), backend="accounts.backends.AccountBackend")
        for name, url, data in pages():
            if not name.startswith(only):
                continue
            figures = measure(lambda: desk.get(url) if data is None else desk.post(url, data))  # noqa: B023
            shown = f"{name}, as a moderator" if only else name
            print("| {} | {} | {:.0f} | {:.0f} | {:.0f} |".format(shown, *figures), flush=True)


if __name__ == "__main__":
    main()
