"""Jobs in the admin: who sees them, and *run again*."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django_tasks_db.models import get_date_max

from aimessage.audit.models import Entry
from aimessage.jobs.models import Job
from aimessage.jobs.running import run_due
from aimessage.jobs.tests import tasks

pytestmark = pytest.mark.django_db

User = get_user_model()
BrowserOf = Callable[[User], Client]
LIST = "/admin/jobs/job/"


def broken() -> Job:
    tasks.break_down.enqueue()
    run_due()
    return Job.objects.get(exception_class_path="builtins.ValueError")


def run_again(browser: Client, *jobs: Job, confirmed: bool = True) -> Any:
    data: dict[str, Any] = {"action": "run_again", "_selected_action": [str(job.pk) for job in jobs]}
    return browser.post(LIST, data | ({"confirmed": "1"} if confirmed else {}), follow=True)


def test_a_superuser_sees_what_failed_and_why(browser_of: BrowserOf, superuser: User) -> None:
    job = broken()
    browser = browser_of(superuser)

    listed = browser.get(LIST, {"status__exact": "FAILED", "queue": "default"})
    page = browser.get(reverse("admin:jobs_job_change", args=[job.pk]))

    assert str(job) in listed.content.decode()
    assert "ValueError: it broke" in page.content.decode()
    assert browser.get(LIST, {"queue": "mail"}).content.decode().count(str(job)) == 0


def test_arguments_are_shown(browser_of: BrowserOf, superuser: User) -> None:
    tasks.add.enqueue(17, second=4)

    assert "17, second=4" in browser_of(superuser).get(LIST).content.decode()


def test_nobody_else_sees_any(browser_of: BrowserOf, moderator: User, clerk: User, alice: User) -> None:
    job = broken()
    for user in (moderator, clerk, alice):
        browser = browser_of(user)
        for path in (LIST, f"{LIST}{job.pk}/change/"):
            assert browser.get(path).status_code in {302, 403}
        run_again(browser, job)
    job.refresh_from_db()
    assert job.status == "FAILED"


@pytest.mark.parametrize("path", ["add/", "{pk}/delete/"])
def test_nobody_adds_or_deletes_any(browser_of: BrowserOf, superuser: User, path: str) -> None:
    job = broken()

    answer = browser_of(superuser).post(LIST + path.format(pk=job.pk), {"post": "yes"})

    assert answer.status_code == 403
    assert Job.objects.count() == 1


def test_the_librarys_own_page_is_gone(browser_of: BrowserOf, superuser: User) -> None:
    assert browser_of(superuser).get("/admin/django_tasks_database/dbtaskresult/").status_code == 404


def test_run_again_asks_runs_and_is_recorded(browser_of: BrowserOf, superuser: User) -> None:
    job = broken()
    browser = browser_of(superuser)

    asked = run_again(browser, job, confirmed=False)
    job.refresh_from_db()
    assert "Run 1 job again?" in asked.content.decode()
    assert job.status == "FAILED"

    run_again(browser, job)

    job.refresh_from_db()
    assert (job.status, job.traceback, job.worker_ids) == ("READY", "", [])
    entry = Entry.objects.get(act="job.run_again")
    assert (entry.actor_id, entry.target_id) == (superuser.pk, str(job.pk))
    assert "it broke" not in f"{entry.changes}"
    assert run_due() == 1


def test_what_waits_for_its_next_try_can_be_hurried(browser_of: BrowserOf, superuser: User) -> None:
    tasks.add.using(run_after=timezone.now() + timezone.timedelta(hours=1)).enqueue(1, 2)

    run_again(browser_of(superuser), Job.objects.get())

    assert Job.objects.get().run_after == get_date_max()
    assert run_due() == 1


@pytest.mark.parametrize("status", ["RUNNING", "SUCCESSFUL"])
def test_what_runs_or_is_done_is_left(browser_of: BrowserOf, superuser: User, status: str) -> None:
    tasks.add.enqueue(1, 2)
    Job.objects.update(status=status, worker_ids=["a.1"])

    answer = run_again(browser_of(superuser), Job.objects.get(), confirmed=False)
    assert "running, due or done" in answer.content.decode()
    run_again(browser_of(superuser), Job.objects.get())

    assert Job.objects.get().status == status
    assert not Entry.objects.filter(act="job.run_again").exists()


def test_other_look_ups_are_refused(browser_of: BrowserOf, superuser: User) -> None:
    assert browser_of(superuser).get(LIST, {"traceback__contains": "x"}).status_code == 400


@pytest.mark.parametrize("query", ["status__exact=%00", "queue=nope", "p=999999", "o=9", "e=1"])
def test_an_odd_address_does_no_harm(browser_of: BrowserOf, superuser: User, query: str) -> None:
    broken()

    assert browser_of(superuser).get(f"{LIST}?{query}", follow=True).status_code < 500


def test_an_id_that_is_none_leads_back(browser_of: BrowserOf, superuser: User) -> None:
    for pk in ("1", "abc", "00000000-0000-0000-0000-000000000000"):
        assert browser_of(superuser).get(f"{LIST}{pk}/change/").status_code == 302
