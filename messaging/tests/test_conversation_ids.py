"""Starting conversations, and whom their ids belong to."""

from typing import Any

import pytest

from accounts.models import User
from conftest import ApiClient
from messaging.models import Conversation, Message, Participant
from messaging.tests.answers import faults, problem
from tests.factories import MessageFactory

PATH = "/auth/conversations/{}/messages"


@pytest.fixture(params=["path", "body"])
def send(request: pytest.FixtureRequest) -> Any:
    """Sends to a conversation by one of the two ways, which must do the same."""

    def by_path(client: Any, name: str, **body: Any) -> Any:
        return client.post(PATH.format(name), {"content": "Hello", **body})

    def by_body(client: Any, name: str, **body: Any) -> Any:
        return client.post("/messages", {"content": "Hello", "conversation_id": name, **body})

    return by_path if request.param == "path" else by_body


@pytest.mark.parametrize(
    "name", ["a", "x" * 100, "Team_1.2:a@b+c-d", "conv_1", "conv_1_2_3", "CONV_1_2", "42"]
)
def test_new_id_starts_a_conversation(
    as_user: ApiClient, alice: User, bob: User, send: Any, name: str
) -> None:
    answer = send(as_user(alice), name, recipient_id=bob.pk)

    assert (answer.status_code, answer.json()["conversation_id"]) == (201, name)
    assert set(Participant.objects.values_list("conversation", "user")) == {(name, alice.pk), (name, bob.pk)}
    read = as_user(bob).get(PATH.format(name))
    assert [item["id"] for item in read.json()] == [answer.json()["id"]]


def test_new_id_needs_a_recipient(as_user: ApiClient, alice: User, bob: User, send: Any) -> None:
    """Also the id of the pair, which would tell."""
    for name in ("lunch", f"conv_{alice.pk}_{bob.pk}"):
        answer = send(as_user(alice), name)
        assert faults(answer) == {"recipient_id"}
        assert "recipient_id" in answer.json()["detail"]
    assert not Conversation.objects.exists()


@pytest.mark.parametrize("wrong", ["forbidden", "parent"])
def test_refused_first_message_starts_nothing(
    as_user: ApiClient, alice: User, bob: User, send: Any, wrong: str
) -> None:
    """The id stays free for others."""
    body = {"recipient_id": bob.pk}
    if wrong == "forbidden":
        as_user(bob).post("/auth/blocks", {"user_id": alice.pk})
    else:
        body["parent_id"] = 1

    answer = send(as_user(alice), "lunch", **body)

    assert answer.status_code == (403 if wrong == "forbidden" else 400)
    assert not Conversation.objects.exists()
    assert not Participant.objects.exists()


def test_id_in_use_is_not_found_by_others(
    as_user: ApiClient, alice: User, bob: User, carol: User, mallory: User, send: Any
) -> None:
    """Whoever they would write to: someone else, or one of the two."""
    MessageFactory(sender=alice, recipient=bob, conversation_id="lunch")

    answers = [send(as_user(mallory), "lunch", recipient_id=user.pk) for user in (alice, bob, carol)]

    assert [problem(answer) for answer in answers] == [(404, "Conversation not found")] * 3
    assert Message.objects.count() == 1
    assert Participant.objects.count() == 2


def test_id_in_use_tells_no_stranger_apart_who_names_no_recipient(
    as_user: ApiClient, alice: User, bob: User, mallory: User
) -> None:
    MessageFactory(sender=alice, recipient=bob, conversation_id="lunch")

    answer = as_user(mallory).post(PATH.format("lunch"), {"content": "Hello"})

    assert problem(answer) == (404, "Conversation not found")


def test_pair_id_is_where_the_pair_talks_anyway(
    as_user: ApiClient, alice: User, bob: User, send: Any
) -> None:
    name = f"conv_{alice.pk}_{bob.pk}"

    first = send(as_user(bob), name, recipient_id=alice.pk)
    second = as_user(alice).post("/messages", {"recipient_id": bob.pk, "content": "Hello"})

    assert [answer.json()["conversation_id"] for answer in (first, second)] == [name, name]
    assert Conversation.objects.count() == 1


@pytest.mark.parametrize(
    "form",
    [
        "conv_{bob}_{alice}",
        "conv_0{alice}_{bob}",
        "conv_{alice}_0{bob}",
        "conv_{alice}_{alice}",
        "conv_{alice}_{carol}",
        "conv_{bob}_{carol}",
        "conv_0_{alice}",
        "conv_{alice}_99999999999999999999999",
        "conv_98_99",
        "conv_-1_{alice}",
        "conv_{alice}_-1",
        "conv_-1_{bob}",
        "conv_-1_-2",
        "conv_-{alice}_{bob}",
        "conv_+{alice}_{bob}",
        "conv_{alice}_+{bob}",
        "conv_-0_{alice}",
        "conv_-01_{alice}",
    ],
)
def test_pair_id_is_not_found_unless_it_names_the_two_lower_first(
    as_user: ApiClient, alice: User, bob: User, carol: User, send: Any, form: str
) -> None:
    name = form.format(alice=alice.pk, bob=bob.pk, carol=carol.pk)

    answer = send(as_user(alice), name, recipient_id=bob.pk)

    assert problem(answer) == (404, "Conversation not found")
    assert not Conversation.objects.exists()


@pytest.mark.parametrize("form", ["conv_-1_{alice}", "conv_{alice}_-1", "conv_-1_{bob}", "conv_0_{alice}"])
def test_ids_of_the_assistant_lead_nowhere_without_one(
    as_user: ApiClient, alice: User, bob: User, form: str
) -> None:
    client, path = as_user(alice), PATH.format(form.format(alice=alice.pk, bob=bob.pk))

    answers = [
        client.get(path),
        client.put(path.replace("/messages", "/read")),
        client.post(path, {"content": "Hello"}),
        client.post(path, {"content": "Hello", "recipient_id": bob.pk}),
    ]

    assert [problem(answer) for answer in answers] == [(404, "Conversation not found")] * 4
    unknown = client.post(path, {"content": "Hello", "recipient_id": -1})
    assert problem(unknown) == (404, "Recipient not found")
    plain = client.post("/messages", {"content": "Hello", "recipient_id": -1})
    assert problem(plain) == (404, "Recipient not found")
    assert not Conversation.objects.exists()


def test_pair_id_is_kept_for_the_pair(
    as_user: ApiClient, alice: User, bob: User, mallory: User, send: Any
) -> None:
    """mallory cannot take the place where alice and bob will talk."""
    name = f"conv_{alice.pk}_{bob.pk}"

    taken = [send(as_user(mallory), name, recipient_id=user.pk) for user in (alice, bob)]
    answer = as_user(alice).post("/messages", {"recipient_id": bob.pk, "content": "Hello"})

    assert [problem(each) for each in taken] == [(404, "Conversation not found")] * 2
    assert (answer.status_code, answer.json()["conversation_id"]) == (201, name)


@pytest.mark.parametrize("value", ["", " ", "a b", " a", "a\n", "a/b", "ü", "x" * 101, 5, True, ["a"], {}])
def test_id_of_another_form_is_refused_in_a_body(
    as_user: ApiClient, alice: User, bob: User, value: Any
) -> None:
    body = {"recipient_id": bob.pk, "content": "Hello", "conversation_id": value}

    answer = as_user(alice).post("/messages", body)

    assert faults(answer) == {"conversation_id"}
    assert not Conversation.objects.exists()


def test_null_as_id_means_the_pairs_own(as_user: ApiClient, alice: User, bob: User) -> None:
    body = {"recipient_id": bob.pk, "content": "Hello", "conversation_id": None}

    answer = as_user(alice).post("/messages", body)

    assert answer.json()["conversation_id"] == f"conv_{alice.pk}_{bob.pk}"
