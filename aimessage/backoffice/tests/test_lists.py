"""What every list of the admin shares."""

import pytest
from django.contrib.auth.models import Group

from aimessage.backoffice.lists import BoundedPaginator


@pytest.mark.django_db
@pytest.mark.parametrize(("rows", "count", "is_cut"), [(2, 2, False), (3, 3, False), (4, 3, True)])
def test_a_list_counts_no_further_than_its_limit(rows: int, count: int, is_cut: bool) -> None:
    Group.objects.all().delete()
    Group.objects.bulk_create(Group(name=f"group {number}") for number in range(rows))

    pages = BoundedPaginator(Group.objects.order_by("name"), 2, limit=3)

    assert (pages.count, pages.is_cut) == (count, is_cut)
    assert pages.num_pages == -(-count // 2)
