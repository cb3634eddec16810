"""Who the assistant is, and for whom it is there."""

from collections.abc import Callable
from threading import Thread as Threading
from typing import Any

import pytest
from django.db import connection

from accounts.models import Role, User
from assistant.account import get_profile
from assistant.models import DISCLOSURE, Profile, Thread
from assistant.tests.conftest import SwitchOn, ask, work
from tests.factories import UserFactory

ApiClient = Callable[..., Any]


@pytest.mark.django_db
def test_it_is_an_account_of_its_own(switch_on: SwitchOn, as_user: ApiClient, alice: User) -> None:
    stub = switch_on(model="qwen3")
    client = as_user(alice)
    shown = client.get("/assistant").json()
    bot = User.objects.get(kind="bot")
    assert shown.pop("resets_at").endswith("T00:00:00.000000Z")
    assert shown == {
        "user_id": bot.pk,
        "username": "assistant",
        "full_name": "Assistant (AI)",
        "disclosure": DISCLOSURE,
        "provider": "127.0.0.1",
        "model": "qwen3",
        "share_messages": False,
        "paused": False,
        "tokens_per_day": 50000,
        "tokens_used": 0,
    }
    assert not bot.has_usable_password()
    assert stub.requests == []
    (found,) = client.get("/auth/directory?search=assistant").json()
    assert (found["id"], found["kind"]) == (bot.pk, "bot")
    ask(client)
    work()
    (conversation,) = client.get("/auth/conversations").json()
    assert conversation["other_user_kind"] == "bot"
    assert client.get("/assistant").json()["tokens_used"] == 120


@pytest.mark.django_db
def test_a_name_that_is_taken_stays_with_its_owner(db: None) -> None:
    person = UserFactory(username="Assistant")
    UserFactory(username="other", email="ai-assistant@assistant.invalid")
    profile = get_profile()
    assert profile.user.username == "assistant-2"
    assert get_profile().pk == profile.pk
    person.refresh_from_db()
    assert person.kind == "person"


@pytest.mark.django_db
def test_what_one_shares_is_ones_own_to_say(
    switch_on: SwitchOn, as_user: ApiClient, alice: User, bob: User
) -> None:
    switch_on()
    client = as_user(alice)
    assert client.patch("/assistant", {"share_messages": True}).json()["share_messages"] is True
    assert client.get("/assistant").json()["share_messages"] is True
    assert client.patch("/assistant", {}).json()["share_messages"] is True
    assert as_user(bob).get("/assistant").json()["share_messages"] is False
    for wrong in ("yes", 1, None, [True]):
        answer = client.patch("/assistant", {"share_messages": wrong})
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid")
    assert client.patch("/assistant", {"paused": True, "model": "x"}).json()["paused"] is False
    assert Thread.objects.get(user=alice).share_messages


@pytest.mark.django_db
def test_it_can_be_for_some_roles_alone(
    switch_on: SwitchOn, as_user: ApiClient, alice: User, bob: User, bot: Profile
) -> None:
    """B44."""
    switch_on()
    role = Role.objects.create(name="testers")
    bot.roles.add(role)
    alice.groups.add(role)
    assert as_user(alice).post("/messages", {"recipient_id": -1, "content": "Hi"}).status_code == 201
    assert as_user(alice).get("/auth/directory?search=assistant").json()
    other = as_user(bob)
    for body in ({"recipient_id": -1, "content": "Hi"}, {"recipient_id": bot.user_id, "content": "Hi"}):
        refused = other.post("/messages", body)
        assert (refused.status_code, refused.json()["detail"]) == (403, "You cannot message this user")
    assert other.post("/messages/ai", {"content": "Hi"}).status_code == 403
    assert other.get("/auth/directory?search=assistant").json() == []


@pytest.mark.django_db
def test_it_can_be_switched_off_in_the_admin(
    switch_on: SwitchOn, as_user: ApiClient, alice: User, bot: Profile
) -> None:
    switch_on()
    Profile.objects.update(is_active=False)
    client = as_user(alice)
    refused = client.post("/messages", {"recipient_id": -1, "content": "Hi"})
    assert (refused.status_code, refused.json()["detail"]) == (404, "Recipient not found")
    assert client.get("/auth/directory?search=assistant").json() == []


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_many_who_need_it_first_make_one() -> None:
    made = []

    def make() -> None:
        made.append(get_profile().pk)
        connection.close()

    threads = [Threading(target=make) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 6
    assert len(set(made)) == 1
    assert User.objects.filter(kind="bot").count() == 1
