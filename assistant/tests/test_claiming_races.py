"""One reply of a conversation at a time, also where an earlier one is tried again in the same moment."""

from concurrent.futures import ThreadPoolExecutor, wait

import pytest
from django.db import connections, transaction

from accounts.models import User
from assistant.models import Reply
from assistant.services.claiming import claim
from assistant.services.replies import retry_reply
from tests.factories import ReplyFactory

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]


def claimed(pk: int) -> Reply | None:
    try:
        return claim(pk, holder="next")
    finally:
        connections.close_all()


def test_the_next_question_waits_for_a_retry_and_is_then_the_second(assistant_on: None, alice: User) -> None:
    failed = ReplyFactory(asker=alice, state=Reply.State.FAILED)
    following = ReplyFactory(asker=alice)
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            retry_reply(failed)
            claiming = pool.submit(claimed, following.pk)
            assert wait([claiming], timeout=1).not_done
        assert claiming.result(timeout=20) is None

    assert claim(failed.pk, holder="first") is not None
    following.refresh_from_db()
    assert following.state == Reply.State.QUEUED
