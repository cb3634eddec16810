"""Reports that race: with themselves, with the message they are about, with moderators."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from time import sleep

import pytest
from django.db import transaction

from accounts.models import User
from aimessage.tests.threads import run_together
from conftest import ApiClient
from messaging.tests.answers import problem
from reports.models import Report
from reports.services import moderate_report
from tests.factories import MessageFactory, ReportFactory

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]

THREADS = 8
COMPLAINT = {"title": "Insults", "content": "He goes on."}


def test_one_key_files_one_report(as_user: ApiClient, alice: User, bob: User) -> None:
    message = MessageFactory(sender=bob, recipient=alice)
    body, key = {**COMPLAINT, "message_id": message.pk}, {"Idempotency-Key": "one"}

    answers = run_together(
        *(partial(as_user(alice).post, "/reports", body, headers=key) for _ in range(THREADS))
    )

    assert [answer.status_code for answer in answers] == [201] * THREADS
    assert sum("Idempotent-Replayed" not in answer for answer in answers) == 1
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert Report.objects.count() == 1


def test_one_key_with_other_payloads_files_one_of_them(as_user: ApiClient, alice: User) -> None:
    key = {"Idempotency-Key": "one"}
    bodies = [{**COMPLAINT, "title": f"Insult {number}"} for number in range(THREADS)]

    answers = run_together(*(partial(as_user(alice).post, "/reports", body, headers=key) for body in bodies))

    assert sorted(answer.status_code for answer in answers) == [201] + [422] * (THREADS - 1)
    assert Report.objects.count() == 1


def test_report_races_the_deletion_of_its_message(as_user: ApiClient, alice: User, mallory: User) -> None:
    """Either it comes in time, and has what the message said, or there is no such message."""
    for _ in range(10):
        message = MessageFactory(sender=mallory, recipient=alice, content="You fool!")
        body = {**COMPLAINT, "message_id": message.pk}

        filed, deleted = run_together(
            partial(as_user(alice).post, "/reports", body),
            partial(as_user(mallory).delete, f"/messages/{message.pk}"),
        )

        assert deleted.status_code == 200
        assert filed.status_code in {201, 400}
        if filed.status_code == 201:
            report = Report.objects.get(pk=filed.json()["id"])
            assert (report.message, report.message_content) == (None, "You fool!")


def test_edit_races_a_moderator(as_user: ApiClient, alice: User, superuser: User) -> None:
    """Nothing of either is lost: the edit is in the report, or was refused."""
    for _ in range(10):
        report = ReportFactory(reporter=alice, title="Insults")

        edited, _ = run_together(
            partial(as_user(alice).put, f"/reports/{report.pk}", {"title": "Threats"}),
            partial(moderate_report, report, actor=superuser, status="in_progress", comment="Looking."),
        )

        report.refresh_from_db()
        assert edited.status_code in {200, 400}
        assert report.title == ("Threats" if edited.status_code == 200 else "Insults")
        assert (report.status, report.comment) == ("in_progress", "Looking.")


def test_edit_waits_for_a_moderator_who_has_just_taken_it_up(
    as_user: ApiClient, alice: User, superuser: User
) -> None:
    report = ReportFactory(reporter=alice, title="Insults")
    edit = partial(as_user(alice).put, f"/reports/{report.pk}", {"title": "Threats"})

    with ThreadPoolExecutor(max_workers=1) as pool:
        with transaction.atomic():
            moderate_report(report, actor=superuser, status="in_progress")
            waiting = pool.submit(run_together, edit)
            sleep(0.5)  # time enough for the edit to come as far as it can
            assert not waiting.done()
        (edited,) = waiting.result(timeout=20)

    assert problem(edited) == (400, "Cannot update a report that is not in open status")
    report.refresh_from_db()
    assert (report.title, report.status) == ("Insults", "in_progress")
