from typing import Any

import pytest

from operations.legacy_import.tests.conftest import MoveIn, found
from operations.legacy_import.tests.old_backend import NOON, OldBackend
from reports.models import Report

LATER = "2025-03-02 10:00:00"


def test_a_report_arrives_as_it_was(old: OldBackend, move_in: MoveIn) -> None:
    old.user(1)
    old.user(2, is_superuser=True)
    old.report(
        5,
        1,
        title="Spam",
        status="resolved",
        comment="Done.",
        resolved_at=LATER,
        resolved_by=2,
        updated_at=LATER,
    )

    move_in(old)

    report = Report.objects.get()
    assert (report.pk, report.reporter_id, report.resolved_by_id) == (5, 1, 2)
    assert (report.title, report.content, report.comment) == ("Spam", "Please look.", "Done.")
    assert (report.status, f"{report.resolved_at:%F %T}") == ("resolved", LATER)
    assert f"{report.created_at:%F %T.%f}" == NOON
    assert found("reports", 5) == []
    assert Report.objects.create(title="new", content="x").pk == 6


@pytest.mark.parametrize(
    ("given", "expected", "reasons"),
    [
        ({"reporter_id": 9}, {"reporter_id": None}, ["its reporter is no account"]),
        ({"reporter_id": None}, {"reporter_id": None}, ["its reporter is no account"]),
        ({"status": None}, {"status": "open"}, ["status taken as open"]),
        ({"status": "weird"}, {"status": "open"}, ["status taken as open"]),
        ({"status": "In Progress"}, {"status": "in_progress"}, ["status taken as in_progress"]),
        (
            {"status": "closed", "resolved_at": LATER},
            {"status": "resolved", "resolved_by_id": None},
            ["status taken as resolved"],
        ),
        ({"status": "resolved"}, {"status": "resolved"}, ["resolved at no known time"]),
        (
            {"status": "resolved", "resolved_at": "soon"},
            {"status": "resolved"},
            ["resolved at no known time"],
        ),
        (
            {"status": "open", "resolved_at": LATER, "resolved_by": 1},
            {"status": "open", "resolved_at": None, "resolved_by_id": None},
            ["not resolved, but told"],
        ),
        (
            {"status": "resolved", "resolved_at": LATER, "resolved_by": 77},
            {"status": "resolved", "resolved_by_id": None},
            ["its resolver is no account"],
        ),
        ({"status": "resolved", "resolved_at": "2999-01-01 00:00:00"}, {"status": "resolved"}, []),
        ({"title": None}, {"title": "(no title)"}, ["title was empty"]),
        ({"content": " "}, {"content": "(no text)"}, ["content was empty"]),
        ({"content": "a\0b"}, {"content": "ab"}, ["content rid of"]),
        ({"comment": ""}, {"comment": None}, []),
        (
            {"title": "t" * 300},
            {"title": "t" * 254 + "…", "content": "t" * 300 + "\n\nPlease look."},
            ["title cut"],
        ),
    ],
)
def test_odd_cells(
    loose: OldBackend, move_in: MoveIn, given: dict[str, Any], expected: dict[str, Any], reasons: list[str]
) -> None:
    loose.user(1)
    loose.report(1, **{"reporter": 1, **given} if "reporter_id" not in given else {"reporter": 0, **given})

    move_in(loose)

    report = Report.objects.get()
    assert {name: getattr(report, name) for name in expected} == expected
    said = found("reports", 1)
    assert len(said) == len(reasons)
    assert all(reason in line for reason, line in zip(reasons, said, strict=True))
    report.full_clean(exclude=["reporter"])
