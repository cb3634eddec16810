"""Who sees which reports, and in which order."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from reports.models import Report
from reports.querysets import QUEUE
from reports.services import moderate_report
from tests.factories import ReportFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def three(alice: User, bob: User, superuser: User) -> list[Report]:
    """Done, in progress and open, in that order."""
    made = [ReportFactory(reporter=alice), ReportFactory(reporter=alice), ReportFactory(reporter=bob)]
    moderate_report(made[0], actor=superuser, status="resolved")
    moderate_report(made[1], actor=superuser, status="in_progress")
    return made


def test_the_queue_is_open_in_progress_done(three: list[Report]) -> None:
    later = ReportFactory(reporter=three[0].reporter)
    done, working, waiting = three

    assert list(Report.objects.order_by(QUEUE, "pk")) == [waiting, later, working, done]
    assert list(Report.objects.order_by(QUEUE, "-pk")) == [later, waiting, working, done]
    places = Report.objects.annotate(place=QUEUE).order_by("pk").values_list("place", flat=True)
    assert list(places) == [2, 1, 0, 0]


def test_the_next_is_the_oldest_open_one(three: list[Report], alice: User) -> None:
    ReportFactory(reporter=alice)

    assert Report.objects.next_in_queue() == three[2]
    assert Report.objects.exclude(status="open").next_in_queue() is None
    assert set(Report.objects.unresolved()) == set(Report.objects.all()) - {three[0]}


def test_a_report_is_seen_by_its_reporter_and_by_superusers(
    three: list[Report], alice: User, bob: User, carol: User, superuser: User
) -> None:
    assert set(Report.objects.visible_to(alice)) == set(Report.objects.filed_by(alice)) == set(three[:2])
    assert set(Report.objects.visible_to(bob)) == {three[2]}
    assert set(Report.objects.visible_to(carol)) == set()
    assert set(Report.objects.visible_to(superuser)) == set(three)


def test_names_come_in_the_same_query(three: list[Report], superuser: User) -> None:
    with CaptureQueriesContext(connection) as queries:
        names = [
            (report.reporter.username, report.resolved_by and report.resolved_by.username)
            for report in Report.objects.with_names()
        ]

    assert len(queries) == 1
    assert set(names) == {("alice", "root"), ("alice", None), ("bob", None)}
