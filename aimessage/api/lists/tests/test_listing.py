"""What a listing takes, wherever it begins, beside what a list in Python would give."""

import pytest
from django.test import RequestFactory
from rest_framework.request import Request

from accounts.models import User
from aimessage.api.lists.listing import LIMITS, Listing
from aimessage.db.compiled import Row
from messaging.filters import MessageFilter
from messaging.models import Message
from messaging.selectors import conversations_of
from messaging.serializers import ConversationSerializer, MessageSerializer
from tests.factories import MessageFactory

BRANCHES = {
    "one branch": [Message.objects.visible_to],
    "two branches": [Message.objects.sent_by, Message.objects.received_by],
}


@pytest.fixture(params=BRANCHES)
def listing(request: pytest.FixtureRequest) -> Listing:
    return Listing(MessageSerializer, *BRANCHES[request.param])


@pytest.fixture
def mine(alice: User, bob: User, carol: User) -> list[int]:
    """Ids of alice's messages, oldest first, with others' between them."""
    people = {"a": alice, "b": bob, "c": carol}
    pairs = ["bc", "ab", "ba", "ab", "ab", "bc", "ca", "ba", "ac", "ab", "cb"]
    made = [(pair, MessageFactory(sender=people[pair[0]], recipient=people[pair[1]]).pk) for pair in pairs]
    return [pk for pair, pk in made if "a" in pair]


def ids(listing: Listing, rows: list[Row]) -> list[int]:
    assert all(row[listing.columns.index("id")] == listing.cursor(row) for row in rows)
    return [listing.cursor(row) for row in rows]


def cursors(mine: list[int]) -> list[int]:
    """On each of the items, between them, and beyond both ends."""
    return [0, *range(mine[0] - 1, mine[-1] + 2), 2**62]


@pytest.mark.parametrize("newest", [True, False])
def test_it_takes_so_many_from_either_end(
    listing: Listing, alice: User, mine: list[int], newest: bool
) -> None:
    items = sorted(mine, reverse=newest)

    for stop in (1, 3, len(mine), len(mine) + 5):
        for skip in (0, 1, 4, len(mine), 100):
            rows = listing.take((alice,), newest=newest, stop=stop, skip=skip)
            assert ids(listing, rows) == items[skip : skip + stop]


@pytest.mark.parametrize("newest", [True, False])
@pytest.mark.parametrize("operator", ["lt", "gt", "gte", "lte"])
def test_it_takes_so_many_on_one_side_of_a_cursor(
    listing: Listing, alice: User, mine: list[int], newest: bool, operator: str
) -> None:
    for cursor in cursors(mine):
        there = {
            "lt": [pk for pk in mine if pk < cursor],
            "gt": [pk for pk in mine if pk > cursor],
            "gte": [pk for pk in mine if pk >= cursor],
            "lte": [pk for pk in mine if pk <= cursor],
        }[operator]
        rows = listing.take((alice,), newest=newest, stop=3, operator=operator, cursor=cursor)
        assert ids(listing, rows) == sorted(there, reverse=newest)[:3]


def test_it_takes_what_is_nearest_to_a_cursor_and_tells_of_the_other_side(
    listing: Listing, alice: User, mine: list[int]
) -> None:
    for cursor in cursors(mine):
        older, newer = [pk for pk in reversed(mine) if pk < cursor], [pk for pk in mine if pk > cursor]
        for stop in (1, 2, len(mine) + 1):
            rows, beyond = listing.take_around((alice,), stop=stop, operator="lt", cursor=cursor)
            assert (ids(listing, rows), beyond) == (older[:stop], len(older) < len(mine))
            rows, beyond = listing.take_around((alice,), stop=stop, operator="gt", cursor=cursor)
            assert (ids(listing, rows), beyond) == (newer[:stop], len(newer) < len(mine))


def test_filters_hold_on_both_sides_of_a_cursor(
    listing: Listing, alice: User, carol: User, mine: list[int]
) -> None:
    request = Request(RequestFactory().get("/messages", {"with_user": carol.pk}))
    request.user = alice
    filters = MessageFilter.read(request)
    assert filters is not None
    assert filters.used == ["with_user"]
    with_carol = list(Message.objects.between(alice, carol.pk).order_by("pk").values_list("pk", flat=True))
    assert len(with_carol) == 2

    assert ids(listing, listing.take((alice,), newest=False, stop=9, filters=filters)) == with_carol
    assert (
        ids(listing, listing.take((alice,), newest=False, stop=9, skip=1, filters=filters)) == with_carol[1:]
    )
    for cursor in cursors(mine):
        older = [pk for pk in reversed(with_carol) if pk < cursor]
        newer = [pk for pk in with_carol if pk > cursor]
        found = listing.take_around((alice,), stop=1, operator="lt", cursor=cursor, filters=filters)
        assert (ids(listing, found[0]), found[1]) == (older[:1], len(older) < 2)
        found = listing.take_around((alice,), stop=1, operator="gt", cursor=cursor, filters=filters)
        assert (ids(listing, found[0]), found[1]) == (newer[:1], len(newer) < 2)


def test_it_finds_what_its_branches_hold_alone(
    listing: Listing, alice: User, bob: User, mine: list[int]
) -> None:
    theirs = MessageFactory(sender=bob).pk

    assert ids(listing, listing.find((alice,), mine[1])) == [mine[1]]
    assert listing.find((alice,), theirs) == []
    assert ids(listing, listing.find((bob,), theirs)) == [theirs]


def test_the_cursor_need_not_be_shown(alice: User, mine: list[int]) -> None:
    listing = Listing(ConversationSerializer, conversations_of, cursor_field="last_message_id")
    with_carol, with_bob = mine[-2:]

    assert "last_message_id" not in ConversationSerializer().fields
    for newest, expected in ((True, [with_bob, with_carol]), (False, [with_carol, with_bob])):
        assert [listing.cursor(row) for row in listing.take((alice,), newest=newest, stop=9)] == expected
    rows, beyond = listing.take_around((alice,), stop=9, operator="lt", cursor=with_bob)
    assert ([listing.cursor(row) for row in rows], beyond) == ([with_carol], True)


def test_pages_of_every_size_share_a_few_statements(listing: Listing, alice: User, mine: list[int]) -> None:
    for stop in range(1, 129):
        assert len(listing.take((alice,), newest=True, stop=stop)) == min(stop, len(mine))

    assert len(listing._compiled) <= len(LIMITS) * len(listing.branches)
