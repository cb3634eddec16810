"""How often somebody was reported: by how many people, that is."""

from django.test import Client

from accounts.models import User
from messaging.models import Message
from reports.models import Report
from reports.services import file_report, moderate_report
from reports.tests.desks import page_of
from tests.factories import MessageFactory, ReportFactory, UserFactory


def received(desk: Client, report: Report) -> tuple[int, int]:
    sender = desk.get(page_of(report)).context["overview"].sender
    return sender.received, sender.received_resolved


def about(message: Message, reporter: User) -> Report:
    return file_report(reporter, title="t", content="c", message_id=message.pk)[0]


def test_many_reports_by_one_person_count_as_one(
    desk: Client, moderator: User, alice: User, report: Report, insult: Message
) -> None:
    for _ in range(24):
        about(insult, alice)
    assert received(desk, report) == (1, 0)

    for one in Report.objects.all()[:7]:
        moderate_report(one, actor=moderator, status="resolved")
    assert received(desk, report) == (1, 1)


def test_each_person_counts(desk: Client, bob: User, report: Report) -> None:
    for _ in range(3):
        reporter = UserFactory()
        message = MessageFactory(sender=bob, recipient=reporter)
        about(message, reporter)
        about(message, reporter)

    assert received(desk, report) == (4, 0)


def test_those_who_left_count_as_one(desk: Client, alice: User, bob: User, report: Report) -> None:
    for _ in range(3):
        ReportFactory(reporter=None, message_content="x", message_sender=bob)
    assert received(desk, report) == (2, 0)

    alice.delete()
    assert received(desk, report) == (1, 0)
