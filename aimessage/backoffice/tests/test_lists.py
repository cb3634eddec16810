"""What every list of the admin shares."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import Group
from django.test import Client

from accounts.models import User
from aimessage.backoffice.lists import BoundedPaginator


@pytest.mark.django_db
@pytest.mark.parametrize(("rows", "count", "is_cut"), [(2, 2, False), (3, 3, False), (4, 3, True)])
def test_a_list_counts_no_further_than_its_limit(rows: int, count: int, is_cut: bool) -> None:
    Group.objects.all().delete()
    Group.objects.bulk_create(Group(name=f"group {number}") for number in range(rows))

    pages = BoundedPaginator(Group.objects.order_by("name"), 2)
    pages.limit = 3

    assert (pages.count, pages.is_cut) == (count, is_cut)
    assert pages.num_pages == -(-count // 2)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("path", "title", "when_empty"),
    [
        ("assistant/profile", "Assistant", "docs/assistant.md"),
        ("channels/sender", "Numbers", "docs/channels.md"),
        ("webhooks/endpoint", "Endpoints", "docs/webhooks.md"),
        ("accounts/session", "Sessions", ""),
    ],
)
def test_a_list_says_what_it_is_and_why_it_is_empty(
    browser_of: Callable[[User], Client], superuser: User, path: str, title: str, when_empty: str
) -> None:
    page = browser_of(superuser).get(f"/admin/{path}/").content.decode()

    assert f"<h1>{title}</h1>" in page
    assert when_empty in page
