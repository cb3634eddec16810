"""GET and POST /auth/blocks, DELETE /auth/blocks/{user_id}."""

from collections.abc import Callable

import pytest
from rest_framework.test import APIClient
from time_machine import TimeMachineFixture

from accounts.models import User
from conftest import ApiClient
from messaging.models import Block
from messaging.tests.answers import NO_IDS, NO_INTEGERS, UNKNOWN_IDS, faults, links, pages, problem
from tests.factories import BlockFactory, MessageFactory

PATH = "/auth/blocks"


def names(page: list[dict[str, str]]) -> list[str]:
    return [item["username"] for item in page]


def blocks_of(user: User, number: int) -> list[str]:
    """The names of as many users whom `user` has blocked, the latest first."""
    blocks = [BlockFactory(blocker=user) for _ in range(number)]
    return [block.blocked.username for block in reversed(blocks)]


def test_block_is_made_once(
    as_user: ApiClient, alice: User, mallory: User, time_machine: TimeMachineFixture
) -> None:
    time_machine.move_to("2026-01-02T12:00:00.000001Z", tick=False)
    client = as_user(alice)

    first = client.post(PATH, {"user_id": mallory.pk})
    time_machine.shift(60)
    again = client.post(PATH, {"user_id": mallory.pk})

    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    assert first.json() == {
        "user_id": mallory.pk,
        "username": "mallory",
        "created_at": "2026-01-02T12:00:00.000001Z",
    }
    assert list(Block.objects.values_list("blocker", "blocked")) == [(alice.pk, mallory.pk)]


def test_block_may_be_mutual(as_user: ApiClient, alice: User, mallory: User) -> None:
    answers = [as_user(alice).post(PATH, {"user_id": mallory.pk})]
    answers.append(as_user(mallory).post(PATH, {"user_id": alice.pk}))

    assert [answer.status_code for answer in answers] == [201, 201]
    assert Block.objects.count() == 2


def test_block_of_oneself_is_refused(as_user: ApiClient, alice: User) -> None:
    answer = as_user(alice).post(PATH, {"user_id": alice.pk})

    assert problem(answer) == (400, "Cannot block yourself")
    assert not Block.objects.exists()


@pytest.mark.parametrize("value", UNKNOWN_IDS)
def test_block_of_an_unknown_user_is_404(as_user: ApiClient, alice: User, value: int) -> None:
    assert problem(as_user(alice).post(PATH, {"user_id": value})) == (404, "User not found")


@pytest.mark.parametrize("value", [*NO_INTEGERS, "null"])
def test_block_of_what_is_no_integer_is_refused(
    as_user: ApiClient, alice: User, bob: User, value: str
) -> None:
    answer = as_user(alice).post(PATH, f'{{"user_id": {value}}}', content_type="application/json")

    assert faults(answer) == {"user_id"}
    assert not Block.objects.exists()


def test_block_requires_a_user(as_user: ApiClient, alice: User) -> None:
    assert faults(as_user(alice).post(PATH, {})) == {"user_id"}


def test_blocks_are_ones_own_newest_first(
    as_user: ApiClient, alice: User, bob: User, carol: User, mallory: User
) -> None:
    client = as_user(alice)
    made = [client.post(PATH, {"user_id": user.pk}).json() for user in (mallory, carol)]
    BlockFactory(blocker=bob, blocked=alice)

    answer = client.get(PATH)

    assert (answer.status_code, answer.json()) == (200, made[::-1])
    assert "Link" not in answer
    assert as_user(carol).get(PATH).json() == []


def test_unblock_ends_the_block(as_user: ApiClient, alice: User, carol: User, mallory: User) -> None:
    for user in (mallory, carol):
        BlockFactory(blocker=alice, blocked=user)
    BlockFactory(blocker=carol, blocked=mallory)
    client = as_user(alice)

    answer = client.delete(f"{PATH}/{mallory.pk}")

    assert (answer.status_code, answer.json()) == (200, {"message": "User unblocked successfully"})
    assert set(Block.objects.values_list("blocker", "blocked")) == {
        (alice.pk, carol.pk),
        (carol.pk, mallory.pk),
    }
    assert problem(client.delete(f"{PATH}/{mallory.pk}"))[0] == 404


def test_unblock_opens_the_way_again(as_user: ApiClient, alice: User, mallory: User) -> None:
    BlockFactory(blocker=alice, blocked=mallory)
    body = {"recipient_id": alice.pk, "content": "Sorry"}
    client = as_user(mallory)

    statuses = [client.post("/messages", body).status_code]
    as_user(alice).delete(f"{PATH}/{mallory.pk}")
    statuses.append(client.post("/messages", body).status_code)

    assert statuses == [403, 201]


def test_unblock_does_not_lift_the_block_of_the_other(as_user: ApiClient, alice: User, mallory: User) -> None:
    BlockFactory(blocker=alice, blocked=mallory)

    assert problem(as_user(mallory).delete(f"{PATH}/{alice.pk}"))[0] == 404
    assert Block.objects.count() == 1


@pytest.mark.parametrize("raw", NO_IDS)
def test_unblock_of_what_is_no_id_is_404(as_user: ApiClient, alice: User, raw: str) -> None:
    assert problem(as_user(alice).delete(f"{PATH}/{raw}"))[0] == 404


def test_block_goes_with_the_account(as_user: ApiClient, alice: User, mallory: User) -> None:
    BlockFactory(blocker=alice, blocked=mallory)
    BlockFactory(blocker=mallory, blocked=alice)

    mallory.delete()

    assert as_user(alice).get(PATH).json() == []
    assert not Block.objects.exists()


def test_blocks_pages_visit_each_once_while_new_ones_arrive(as_user: ApiClient, alice: User) -> None:
    people = blocks_of(alice, 7)

    walked = list(pages(as_user(alice), f"{PATH}?limit=3", meanwhile=lambda: blocks_of(alice, 2)))

    assert [len(page) for page in walked] == [3, 3, 1]
    assert [name for page in walked for name in names(page)] == people


def test_blocks_pages_lead_back(as_user: ApiClient, alice: User) -> None:
    people = blocks_of(alice, 5)
    client = as_user(alice)

    walked = list(pages(client, f"{PATH}?limit=2&after=0", "prev"))

    assert [names(page) for page in walked] == [people[3:], people[1:3], people[:1]]
    assert names(client.get(f"{PATH}?limit=2&skip=1").json()) == people[1:3]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("skip=x", "skip"),
        ("before=-1", "before"),
        ("skip=1&after=1", "non_field_errors"),
    ],
)
def test_blocks_refuse_a_page_out_of_range(as_user: ApiClient, alice: User, query: str, field: str) -> None:
    assert faults(as_user(alice).get(f"{PATH}?{query}")) == {field}


def test_blocks_require_a_login(client: APIClient, alice: User) -> None:
    answers = [
        client.get(PATH),
        client.post(PATH, {"user_id": alice.pk}),
        client.delete(f"{PATH}/{alice.pk}"),
    ]

    assert [problem(answer)[0] for answer in answers] == [401, 401, 401]


@pytest.mark.parametrize("rows", [2, 30])
def test_blocks_take_a_constant_number_of_queries(
    as_user: ApiClient, alice: User, django_assert_num_queries: Callable[..., object], rows: int
) -> None:
    blocks_of(alice, rows)
    client = as_user(alice)

    # the session with its user; the blocks with the blocked
    with django_assert_num_queries(2):
        answer = client.get(PATH)

    assert len(answer.json()) == rows
    assert links(answer) == {}


@pytest.mark.parametrize("method", ["put", "patch"])
@pytest.mark.parametrize("who", ["sender", "recipient", "both"])
def test_block_binds_edits_as_it_binds_sending(
    as_user: ApiClient, alice: User, mallory: User, method: str, who: str
) -> None:
    message = MessageFactory(sender=mallory, recipient=alice, content="old")
    before = message.updated_at
    if who != "recipient":
        BlockFactory(blocker=mallory, blocked=alice)
    if who != "sender":
        BlockFactory(blocker=alice, blocked=mallory)
    edit = getattr(as_user(mallory), method)

    answer = edit(f"/messages/{message.pk}", {"content": "new"})

    assert problem(answer) == (403, "You cannot message this user")
    message.refresh_from_db()
    assert (message.content, message.updated_at) == ("old", before)
    assert edit(f"/messages/{message.pk}", {}).status_code == 200
    Block.objects.all().delete()
    assert edit(f"/messages/{message.pk}", {"content": "new"}).json()["content"] == "new"


def test_block_of_somebody_else_leaves_edits_alone(
    as_user: ApiClient, alice: User, bob: User, mallory: User
) -> None:
    message = MessageFactory(sender=alice, recipient=bob)
    BlockFactory(blocker=alice, blocked=mallory)
    BlockFactory(blocker=mallory, blocked=bob)

    answer = as_user(alice).put(f"/messages/{message.pk}", {"content": "new"})

    assert (answer.status_code, answer.json()["content"]) == (200, "new")


def test_recipient_who_edits_is_told_that_he_is_not_the_sender(
    as_user: ApiClient, alice: User, mallory: User
) -> None:
    message = MessageFactory(sender=mallory, recipient=alice)
    BlockFactory(blocker=alice, blocked=mallory)

    answer = as_user(alice).put(f"/messages/{message.pk}", {"content": "new"})

    assert problem(answer) == (403, "Only the sender can update this message")


def test_message_to_a_deleted_account_can_be_edited(as_user: ApiClient, alice: User, bob: User) -> None:
    message = MessageFactory(sender=alice, recipient=bob)
    bob.delete()

    answer = as_user(alice).put(f"/messages/{message.pk}", {"content": "new"})

    assert (answer.status_code, answer.json()["content"]) == (200, "new")


def test_blocks_leave_reading_and_deleting_as_they_are(
    as_user: ApiClient, alice: User, mallory: User
) -> None:
    message = MessageFactory(sender=mallory, recipient=alice)
    BlockFactory(blocker=alice, blocked=mallory)

    assert as_user(alice).put(f"/messages/{message.pk}/read").status_code == 200
    assert as_user(mallory).get(f"/messages/{message.pk}").status_code == 200
    assert as_user(mallory).delete(f"/messages/{message.pk}").status_code == 200
