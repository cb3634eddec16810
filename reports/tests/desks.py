"""What the tests of the desk share: where things are, and how to press a button."""

from collections.abc import Callable

from django.test import Client

from accounts.models import User
from aimessage.audit.models import Entry
from reports.models import Report

REPORTS = "/admin/reports/report/"
ACTS = ["claim", "resolve", "reopen", "disable-sender", "end-sessions"]

Browsers = Callable[[User], Client]


def page_of(report: Report) -> str:
    return f"{REPORTS}{report.pk}/change/"


def act(browser: Client, report: Report, name: str, **data: str) -> str:
    """Presses a button; returns the page that tells the outcome."""
    answer = browser.post(f"{REPORTS}{report.pk}/{name}/", data, follow=True)
    assert answer.status_code == 200
    return answer.content.decode()


def history(report: Report) -> list[tuple[str, str]]:
    entries = Entry.objects.about("reports.report", report.pk).order_by("pk")
    return [(entry.actor_name, entry.sentence) for entry in entries]
