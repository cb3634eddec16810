"""What higher rooms add to the sending of a message."""

import pytest

from accounts.models import User
from aimessage.api.problems import Forbidden, Reason
from conftest import ApiClient
from messaging.models import Message
from messaging.services import extensions
from messaging.services.extensions import Receiver

UNWANTED = Reason("They want no messages", "unwanted")


@pytest.mark.undescribed
def test_a_check_refuses_a_message_which_then_leaves_no_trace(
    as_user: ApiClient, alice: User, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(sender: User, receiver: Receiver) -> None:
        assert (sender, receiver) == (alice, Receiver(bob.pk, "person"))
        raise Forbidden(UNWANTED)

    monkeypatch.setattr(extensions, "checks", [refuse])
    answer = as_user(alice).post("/messages", {"recipient_id": bob.pk, "content": "hi"})

    assert (answer.status_code, answer.json()["code"]) == (403, "unwanted")
    assert not Message.objects.exists()


def test_followers_see_each_new_message_once(
    as_user: ApiClient, alice: User, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    monkeypatch.setattr(extensions, "followers", [lambda *given: seen.append(given)])
    client = as_user(alice)
    for _ in range(2):
        client.post(
            "/messages", {"recipient_id": bob.pk, "content": "hi"}, headers={"Idempotency-Key": "one"}
        )

    assert seen == [(Message.objects.get(), Receiver(bob.pk, "person"))]
