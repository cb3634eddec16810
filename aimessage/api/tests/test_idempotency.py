"""`Idempotency-Key` on a POST that creates a message or a report."""

from typing import Any

import pytest
from django.db.models import Model
from rest_framework.test import APIClient

from accounts.models import User
from aimessage.tests.asserts import assert_problem
from conftest import ApiClient
from messaging.models import Message
from reports.models import Report

MAKES = pytest.mark.parametrize(("path", "model"), [("/messages", Message), ("/reports", Report)])


def post(client: APIClient, path: str, bob: User, key: str | None = "key-1", **changed: Any) -> Any:
    sent = {"recipient_id": bob.pk, "title": "hi", "content": "hello", **changed}
    headers = {} if key is None else {"HTTP_IDEMPOTENCY_KEY": key}
    return client.post(path, sent, **headers)


@MAKES
def test_the_same_again_is_the_first_resource(
    as_user: ApiClient, alice: User, bob: User, path: str, model: type[Model]
) -> None:
    phone, laptop = as_user(alice), as_user(alice)
    first = post(phone, path, bob)
    again = post(laptop, path, bob)

    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"
    assert model._default_manager.count() == 1


@MAKES
def test_the_same_key_with_another_payload_is_a_422(
    as_user: ApiClient, alice: User, bob: User, path: str, model: type[Model]
) -> None:
    client = as_user(alice)
    post(client, path, bob)

    answer = post(client, path, bob, content="goodbye")

    assert_problem(answer, 422, "This Idempotency-Key was used with another payload")
    assert model._default_manager.count() == 1


@MAKES
def test_a_key_is_its_users_own(
    as_user: ApiClient, alice: User, bob: User, carol: User, path: str, model: type[Model]
) -> None:
    answers = [post(as_user(user), path, bob) for user in (alice, carol)]

    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json()["id"] != answers[1].json()["id"]
    assert model._default_manager.count() == 2


@MAKES
def test_another_key_and_no_key_make_another_one(
    as_user: ApiClient, alice: User, bob: User, path: str, model: type[Model]
) -> None:
    client = as_user(alice)

    answers = [post(client, path, bob, key) for key in ("key-1", "key-2", "KEY-1", None, None)]

    assert len({answer.json()["id"] for answer in answers}) == 5
    assert model._default_manager.count() == 5


@MAKES
def test_a_request_that_was_refused_leaves_its_key_unused(
    as_user: ApiClient, alice: User, bob: User, path: str, model: type[Model]
) -> None:
    client = as_user(alice)

    assert_problem(post(client, path, bob, content=""), 400)

    assert post(client, path, bob).status_code == 201


@MAKES
@pytest.mark.parametrize("key", ["", " ", "a b", "x" * 256, "\u00e9", "a\tb", "\x7f"])
def test_any_other_key_is_refused(
    as_user: ApiClient, alice: User, bob: User, path: str, model: type[Model], key: str
) -> None:
    assert_problem(post(as_user(alice), path, bob, key), 400)
    assert model._default_manager.count() == 0


@MAKES
@pytest.mark.parametrize("key", ["!", "~" * 255, 'a"b\\c'])
def test_a_key_has_1_to_255_visible_ascii_characters(
    as_user: ApiClient, alice: User, bob: User, path: str, model: type[Model], key: str
) -> None:
    client = as_user(alice)

    assert [post(client, path, bob, key).status_code for _ in range(2)] == [201, 201]
    assert model._default_manager.count() == 1
