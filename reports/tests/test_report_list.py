"""GET /reports."""

from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import pytest
from rest_framework.test import APIClient

from accounts.models import User
from conftest import ApiClient
from messaging.tests.answers import faults, links, pages, problem
from reports.models import Report
from reports.services import moderate_report
from tests.factories import ReportFactory


def ids(page: list[dict[str, int]]) -> list[int]:
    return [report["id"] for report in page]


def reports_of(user: User, number: int) -> list[int]:
    """The ids of as many new reports, the newest first."""
    return [ReportFactory(reporter=user).pk for _ in range(number)][::-1]


def test_reports_are_ones_own_newest_first(as_user: ApiClient, alice: User, bob: User) -> None:
    own = reports_of(alice, 3)
    reports_of(bob, 1)
    client = as_user(alice)

    answer = client.get("/reports")

    assert answer.status_code == 200
    assert answer.json() == [client.get(f"/reports/{pk}").json() for pk in own]
    assert "Link" not in answer


def test_reports_of_a_superuser_or_moderator_are_their_own_as_well(
    as_user: ApiClient, alice: User, superuser: User, moderator: User
) -> None:
    """The queue of all is in the admin."""
    reports_of(alice, 1)
    own = reports_of(superuser, 1)

    assert ids(as_user(superuser).get("/reports").json()) == own
    assert as_user(moderator).get("/reports").json() == []


@pytest.mark.parametrize("name", ["status", "status_filter"])
def test_reports_are_filtered_by_status(as_user: ApiClient, alice: User, superuser: User, name: str) -> None:
    made = {status: ReportFactory(reporter=alice) for status in Report.Status.values}
    for status, report in made.items():
        moderate_report(report, actor=superuser, status=status)
    client = as_user(alice)

    found = {status: ids(client.get(f"/reports?{name}={status}").json()) for status in made}

    assert found == {status: [report.pk] for status, report in made.items()}
    assert len(client.get(f"/reports?{name}=").json()) == 3


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("status=closed", "status"),
        ("status=OPEN", "status"),
        ("status_filter=closed", "status_filter"),
        ("limit=0", "limit"),
        ("limit=501", "limit"),
        ("skip=-1", "skip"),
        ("before=x", "before"),
        ("after=99999999999999999999", "after"),
        ("skip=1&after=1", "non_field_errors"),
    ],
)
def test_reports_refuse(as_user: ApiClient, alice: User, query: str, field: str) -> None:
    assert faults(as_user(alice).get(f"/reports?{query}")) == {field}


def test_reports_pages_visit_each_once_while_new_ones_arrive(as_user: ApiClient, alice: User) -> None:
    own = reports_of(alice, 7)

    walked = list(pages(as_user(alice), "/reports?limit=3", meanwhile=lambda: reports_of(alice, 2)))

    assert [len(page) for page in walked] == [3, 3, 1]
    assert [pk for page in walked for pk in ids(page)] == own


def test_reports_pages_lead_back(as_user: ApiClient, alice: User) -> None:
    own = reports_of(alice, 5)

    walked = list(pages(as_user(alice), "/reports?limit=2&after=0", "prev"))

    assert [ids(page) for page in walked] == [own[3:], own[1:3], own[:1]]


def test_reports_cursor_is_the_id_of_a_report(as_user: ApiClient, alice: User) -> None:
    own = reports_of(alice, 5)
    client = as_user(alice)

    older = ids(client.get(f"/reports?before={own[1]}&limit=2").json())
    newer = ids(client.get(f"/reports?after={own[3]}&limit=2").json())
    middle = client.get("/reports?skip=1&limit=2&status=open")

    assert (older, newer, ids(middle.json())) == (own[2:4], own[1:3], own[1:3])
    queries = {rel: parse_qs(urlsplit(url).query) for rel, url in links(middle).items()}
    assert queries == {
        "next": {"limit": ["2"], "status": ["open"], "before": [str(own[2])]},
        "prev": {"limit": ["2"], "status": ["open"], "after": [str(own[1])]},
    }


def test_reports_require_a_login(client: APIClient, db: None) -> None:
    assert problem(client.get("/reports"))[0] == 401


@pytest.mark.parametrize("rows", [2, 30])
def test_reports_take_a_constant_number_of_queries(
    as_user: ApiClient,
    alice: User,
    superuser: User,
    django_assert_num_queries: Callable[..., object],
    rows: int,
) -> None:
    reports_of(alice, rows)
    moderate_report(Report.objects.earliest("pk"), actor=superuser, status=Report.Status.RESOLVED)
    client = as_user(alice)

    # the session with its user; the reports with reporter and resolver
    with django_assert_num_queries(2):
        answer = client.get("/reports")

    assert len(answer.json()) == rows
