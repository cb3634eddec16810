"""What happens to reports, as events."""

import pytest

from accounts.models import User
from aimessage.events.kinds import EventRow, show_events
from aimessage.events.models import Event
from conftest import ApiClient
from reports.models import Report
from reports.services import claim_report, moderate_report

pytestmark = pytest.mark.django_db


def test_a_report_tells_its_reporter_what_became_of_it(
    as_user: ApiClient, alice: User, moderator: User
) -> None:
    client = as_user(alice)
    filed = client.post("/reports", {"title": "Insults", "content": "See there."}).json()
    client.put(f"/reports/{filed['id']}", {"title": "Threats"})
    report = Report.objects.get()
    for _ in range(2):
        claim_report(report, actor=moderator)
    for _ in range(2):
        moderate_report(report, actor=moderator, status="resolved", comment="Done.")

    rows = Event.objects.filter(user_id=alice.pk).order_by("pk").values_list(*EventRow._fields)
    shown = [event for _, event in show_events([EventRow(*row) for row in rows])]
    assert [event["type"] for event in shown] == ["report.updated"] * 3
    now = client.get(f"/reports/{filed['id']}").json()
    assert {**shown[-1]["data"], "created_at": "", "resolved_at": "", "updated_at": ""} == {
        **now,
        **{"created_at": "", "resolved_at": "", "updated_at": ""},
    }
    created = Event.objects.get(kind="report.created")
    assert (created.user_id, created.data) == (None, {"report_id": filed["id"], "reporter_id": alice.pk})
