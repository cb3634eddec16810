"""The admin's lists take the filters that their pages offer, and nothing else."""

import re
from html import unescape

import pytest
from django.contrib import admin
from django.test import Client

from accounts.models import User
from reports.models import Report
from tests.factories import PASSWORD, MessageFactory, ReportFactory, SessionFactory

USERS, REPORTS = "/admin/accounts/user/", "/admin/reports/report/"
LISTS = [f"/admin/{model._meta.app_label}/{model._meta.model_name}/" for model in admin.site._registry]


@pytest.mark.parametrize(
    "query",
    [
        "sent_messages=1",
        "sent_messages__content__startswith=a",
        "blocks=1",
        "blocked_by__blocker=1",
        "password__startswith=bcrypt",
        "password=x",
        "email__contains=@",
        "phone_number__gt=1",
        "admin_epoch=1",
        "sessions__session_token__startswith=a",
        "groups__name=moderator",
        "is_active=1",
        "is_active__in=1",
        "pk=1",
        "id__gt=0",
        "nothing=1",
        "_=1",
        "reports__title=x",
    ],
)
def test_a_look_up_that_no_page_offers_is_refused(desk: Client, query: str) -> None:
    for url in [*LISTS, "/admin/audit/entry/export/"]:
        answer = desk.get(f"{url}?{query}", headers={"Accept": "text/html"})
        assert (url, answer.status_code) == (url, 400)
        assert "by what their pages offer" in answer.content.decode()
        assert desk.post(f"{url}?{query}", {"action": "x", "_selected_action": [1]}).status_code in {400, 405}


def test_a_list_without_look_ups_answers(desk: Client) -> None:
    for url in LISTS:
        for query in ("", "q=a", "p=1", "o=1", "e=1", "_popup=1", "all=", "_facets=True"):
            assert (url, query, desk.get(f"{url}?{query}").status_code) == (url, query, 200)


def test_every_link_of_the_pages_is_offered(desk: Client, superuser: User, alice: User, bob: User) -> None:
    """The home page, the lists with their filters and dates, and the panels of a user's page."""
    message = MessageFactory(sender=bob, recipient=alice)
    Report.objects.create(reporter=alice, title="t", content="c", message=message, message_sender=bob)
    ReportFactory(reporter=alice)
    SessionFactory(user=bob)
    pages = ["/admin/", f"{USERS}{alice.pk}/change/", f"{USERS}{bob.pk}/change/", *LISTS]
    tried = set()
    for page in pages:
        for link in re.findall(r'href="([^"]*\?[^"]*)"', desk.get(page).content.decode()):
            url = unescape(link)
            url = page + url if url.startswith("?") else url
            if url.startswith("/admin/") and url not in tried and "/export/" not in url:
                tried.add(url)
                assert (url, desk.get(url, follow=True).status_code) == (url, 200)

    names = {name for url in tried for name in re.findall(r"[?&]([a-z_]+)=", url)}
    assert {
        "status__exact",
        "resolved_at__gte",
        "created_at__gte",
        "user__id__exact",
        "role",
        "state",
    } <= names
    assert {"attempt_time__gte", "locked_out__exact", "message_sender__id__exact", "from"} <= names


@pytest.mark.parametrize("year", ["9999", "0", "10000", "x", "99999999999999999999"])
def test_a_date_that_there_is_not_leads_to_the_whole_list(desk: Client, year: str) -> None:
    answer = desk.get(f"{REPORTS}?created_at__year={year}&created_at__month=12")

    assert (answer.status_code, answer["Location"]) == (302, f"{REPORTS}?e=1")


def test_no_relation_can_be_completed(desk: Client) -> None:
    for query in (
        "",
        "?app_label=accounts&model_name=session&field_name=user&term=a",
        "?app_label=messaging&model_name=message&field_name=sender&term=a",
        "?app_label=reports&model_name=report&field_name=reporter&term=a",
    ):
        assert desk.get(f"/admin/autocomplete/{query}").status_code == 400


def test_a_rejected_next_leads_to_the_admin(superuser: User) -> None:
    for wanted in ("https://evil.example/", "//evil.example", "javascript:alert(1)", "http:///x"):
        form = {"username": superuser.username, "password": PASSWORD, "next": wanted}
        assert Client().post("/admin/login/", form)["Location"] == "/admin/"
        answer = Client().post(f"/admin/login/?next={wanted}", {**form, "next": ""})
        assert answer["Location"] == "/admin/"


def test_each_cell_of_a_list_knows_its_column(desk: Client, alice: User) -> None:
    """On a phone, where the columns' heads are not shown."""
    page = desk.get(USERS).content.decode()

    assert '<th data-label="Username" class="field-username">' in page
    assert '<td data-label="Full name" class="field-full_name">Alice Archer' in page
    assert 'data-label="E-mail address"' in page
    assert '<td class="action-checkbox">' in page
