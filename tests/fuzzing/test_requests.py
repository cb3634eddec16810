"""Single requests: what the description allows, what it forbids, and what nobody thought of."""

import pytest
import schemathesis

from accounts.models import User
from conftest import ApiClient
from tests.factories import BlockFactory, MessageFactory, ReportFactory
from tests.fuzzing.checks import ALL
from tests.fuzzing.conftest import Count
from tests.fuzzing.drawing import EXAMPLES, aim, drawn, limits
from tests.routes import undone

pytestmark = pytest.mark.usefixtures("channels_on", "assistant_on")


@drawn(thoroughly=False, logged_in=False).parametrize()
@limits(EXAMPLES)
def test_the_description_holds_for_whatever_a_stranger_sends(
    case: schemathesis.Case, transaction_kept: None, count: Count
) -> None:
    count()
    with undone():
        case.call_and_validate(checks=ALL)


@pytest.fixture
def owned(alice: User, bob: User, as_user: ApiClient) -> dict[str, int]:
    """By path, an id that alice may use there."""
    received = MessageFactory(sender=bob, recipient=alice)
    BlockFactory(blocker=alice)
    return {
        "/messages/{id}": MessageFactory(sender=alice, recipient=bob).pk,
        "/messages/{id}/read": received.pk,
        "/reports/{id}": ReportFactory(reporter=alice, message=received).pk,
        "/auth/sessions/{id}": as_user(alice).session_row.pk,
    }


@pytest.fixture
def bearer(as_user: ApiClient, alice: User) -> dict[str, str]:
    return {"Authorization": f"Bearer {as_user(alice).tokens.access_token}"}


@drawn(thoroughly=True, logged_in=True).parametrize()
@limits(EXAMPLES)
def test_the_description_holds_for_whatever_a_user_sends(
    case: schemathesis.Case,
    transaction_kept: None,
    owned: dict[str, int],
    bearer: dict[str, str],
    bob: User,
    count: Count,
) -> None:
    count()
    aim(case, owned, bob.pk)
    with undone():
        case.call_and_validate(checks=ALL, headers=bearer)
