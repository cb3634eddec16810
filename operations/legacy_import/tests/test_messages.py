from typing import Any

import pytest

from messaging.models import CONVERSATION_ID_PATTERN, Conversation, Message, Participant
from operations.legacy_import.conversations import clean_id, split_ids
from operations.legacy_import.tests.conftest import MoveIn, found
from operations.legacy_import.tests.old_backend import OldBackend


@pytest.fixture
def people(loose: OldBackend) -> OldBackend:
    for pk in (1, 2, 3, 4):
        loose.user(pk)
    return loose


def homes() -> dict[int, str]:
    return dict(Message.objects.values_list("pk", "conversation_id"))


def members(conversation_id: str) -> dict[int | None, int | None]:
    """Who takes part, and the last message that each can see."""
    rows = Participant.objects.filter(conversation=conversation_id)
    return dict(rows.values_list("user_id", "last_message_id"))


def test_a_message_arrives_as_it_was(old: OldBackend, move_in: MoveIn) -> None:
    old.user(1)
    old.user(2)
    text = " Grüße\n\t\U0001f44d 'quoted' \\N "
    old.message(
        10,
        2,
        1,
        content=text,
        is_read=True,
        created_at="2025-03-01 10:00:00.5",
        updated_at="2025-03-02 10:00:00",
    )
    old.message(12, 1, 2, parent_id=10, conversation_id="conv_1_2")

    move_in(old)

    message = Message.objects.get(pk=10)
    assert (message.sender_id, message.recipient_id, message.content) == (2, 1, text)
    assert (message.is_read, message.deleted_by_recipient, message.idempotency_key) == (True, False, None)
    assert f"{message.created_at:%F %T.%f}" == "2025-03-01 10:00:00.500000"
    assert f"{message.updated_at:%F %T.%f}" == "2025-03-02 10:00:00.000000"
    assert homes() == {10: "conv_1_2", 12: "conv_1_2"}
    assert Message.objects.get(pk=12).parent_id == 10
    assert members("conv_1_2") == {1: 12, 2: 12}
    assert Conversation.objects.get().created_at == message.created_at
    assert found("messages", 10) == found("messages", 12) == []
    sent = Message.objects.create(sender_id=1, recipient_id=2, conversation_id="conv_1_2", content="new")
    assert sent.pk == 13


def test_a_deleted_account_leaves_what_it_wrote(people: OldBackend, move_in: MoveIn) -> None:
    people.message(1, 1, 77)
    people.message(2, 77, 1)
    people.message(3, 78, 1)
    people.message(4, "ghost", 1)

    move_in(people)

    assert homes() == {1: "conv_1_77", 2: "conv_1_77", 3: "conv_1_78", 4: "conv_0_1"}
    assert members("conv_1_77") == {1: 2, None: None}
    assert members("conv_1_78") == {1: 3, None: None}
    assert list(Message.objects.order_by("pk").values_list("sender_id", "recipient_id")) == [
        (1, None),
        (None, 1),
        (None, 1),
        (None, 1),
    ]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ((1, 1), "its sender and its recipient are one"),
        ((77, 78), "neither its sender nor its recipient is there"),
        ((None, None), "neither its sender nor its recipient is there"),
    ],
)
def test_nobodys_messages_are_refused(
    people: OldBackend, move_in: MoveIn, row: tuple[Any, Any], reason: str
) -> None:
    people.message(1, *row)
    people.message(2, 1, 2, content=None)

    said = move_in(people, refuses=True)

    assert not Message.objects.exists()
    assert not Conversation.objects.exists()
    assert reason in found("messages", 1)[0]
    assert found("messages", 2) == ["refused: it has no content"]
    assert "2 row(s) were not taken" in said


@pytest.mark.parametrize(
    ("given", "expected", "reason"),
    [
        ({"content": ""}, {"content": ""}, None),
        ({"content": "x" * 30_000}, {"content": "x" * 30_000}, None),
        ({"content": "a\0b"}, {"content": "ab"}, "content rid of"),
        ({"content": b"caf\xe9"}, {"content": "caf\ufffd"}, "content rid of"),
        ({"content": 17}, {"content": "17"}, None),
        ({"is_read": None}, {"is_read": False}, "is_read taken as no"),
        ({"is_read": "true"}, {"is_read": True}, None),
        ({"sender_id": "2", "recipient_id": "1"}, {"sender_id": 2, "recipient_id": 1}, None),
        ({"parent_id": 1}, {"parent_id": 1}, None),
        ({"parent_id": "1"}, {"parent_id": 1}, None),
        ({"parent_id": 3}, {"parent_id": None}, "is in another conversation"),
        ({"parent_id": 4}, {"parent_id": None}, "is not there"),
        ({"parent_id": 5}, {"parent_id": None}, "is no earlier message"),
        ({"parent_id": 6}, {"parent_id": None}, "is no earlier message"),
        ({"parent_id": 0}, {"parent_id": None}, "is no earlier message"),
        ({"parent_id": "x"}, {"parent_id": None}, "is no earlier message"),
    ],
)
def test_odd_cells(
    people: OldBackend, move_in: MoveIn, given: dict[str, Any], expected: dict[str, Any], reason: str | None
) -> None:
    people.message(1, 1, 2)
    people.message(3, 1, 3)
    people.add("messages", **{"id": 5, "sender_id": 1, "recipient_id": 2, **given})
    people.message(6, 1, 2)

    move_in(people)

    message = Message.objects.get(pk=5)
    assert {name: getattr(message, name) for name in expected} == expected
    said = found("messages", 5)
    assert len(said) == (reason is not None)
    assert all(reason in line for line in said if reason)


@pytest.mark.parametrize(
    "named", [None, "", "  ", "conv_1_2", "conv_2_1", "conv_01_2", "conv_3_4", "conv_1_1"]
)
def test_without_an_id_of_its_own_it_goes_to_the_pairs(
    people: OldBackend, move_in: MoveIn, named: Any
) -> None:
    people.message(1, 2, 1, conversation_id=named)

    move_in(people)

    assert homes() == {1: "conv_1_2"}
    assert bool(found("messages", 1)) == (named not in (None, "", "  ", "conv_1_2"))


def test_an_id_that_more_than_two_shared_stays_with_the_first(people: OldBackend, move_in: MoveIn) -> None:
    people.message(1, 2, 1, conversation_id="team")
    people.message(2, 3, 4, conversation_id="team", parent_id=1)
    people.message(3, 1, 2, conversation_id="team", parent_id=1)
    people.message(4, 4, 3, conversation_id="team", parent_id=2)
    people.message(5, 1, 77, conversation_id="team")
    people.message(6, 1, 78, conversation_id="team")
    people.message(7, 3, 4)

    move_in(people)

    assert homes() == {
        1: "team",
        2: "team:3_4",
        3: "team",
        4: "team:3_4",
        5: "team:1_77",
        6: "team:1_78",
        7: "conv_3_4",
    }
    assert members("team") == {1: 3, 2: 3}
    assert members("team:3_4") == {3: 4, 4: 4}
    assert members("team:1_77") == {1: 5, None: None}
    parents = dict(Message.objects.values_list("pk", "parent_id"))
    assert (parents[2], parents[3], parents[4]) == (None, 1, 2)


def test_an_id_that_a_split_would_take_stays_its_owners(people: OldBackend, move_in: MoveIn) -> None:
    people.message(1, 1, 2, conversation_id="team")
    people.message(2, 1, 4, conversation_id="team:2_3")
    people.message(3, 2, 3, conversation_id="team")

    move_in(people)

    assert homes() == {1: "team", 2: "team:2_3", 3: split_ids("team", (2, 3))[1]}


@pytest.mark.parametrize(
    "named", ["our chat", "Über/uns", "a" * 101, "x\ny", b"\xff\xfe", 17, "ü", "a?b#c", "\U0001f44d" * 100]
)
def test_an_id_that_cannot_be_kept_gets_another(people: OldBackend, move_in: MoveIn, named: Any) -> None:
    people.message(1, 1, 2, conversation_id=named)
    people.message(2, 2, 1, conversation_id=named)
    people.message(3, 1, 2, conversation_id="conv_1_2")

    move_in(people)

    one, two, three = (homes()[pk] for pk in (1, 2, 3))
    assert one == two != three
    assert CONVERSATION_ID_PATTERN.fullmatch(one)
    assert members(one) == {1: 2, 2: 2}


def test_ids_differ_after_the_change_if_they_did_before() -> None:
    names = ["a b", "a-b", "a_b", "a/b", "a" * 101, "a" * 102]

    assert len({clean_id(name) for name in names}) == len(names)
    assert len(split_ids("c" * 100, (1, 2))[0]) <= 100


def test_a_time_that_is_missing_is_that_of_the_message_before(people: OldBackend, move_in: MoveIn) -> None:
    people.message(1, 1, 2, created_at="2025-01-01 10:00:00", updated_at=None)
    people.message(2, 1, 2, created_at=None, updated_at=None)
    people.message(3, 1, 2, created_at="whenever", updated_at="2025-01-01 12:00:00")

    move_in(people)

    times = Message.objects.order_by("pk").values_list("created_at", flat=True)
    assert [f"{time:%F %T}" for time in times] == [
        "2025-01-01 10:00:00",
        "2025-01-01 10:00:00",
        "2025-01-01 12:00:00",
    ]
    assert len(found("messages", 2)) == len(found("messages", 3)) == 1
