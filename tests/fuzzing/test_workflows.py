"""Requests that follow from one another, as a login, a message, a reply, an edit and a logout do."""

from functools import cache
from typing import Any

import pytest
import schemathesis
from django.core.management.color import no_style
from django.db import connection, transaction
from hypothesis import Phase
from schemathesis.core.parameters import ParameterLocation
from schemathesis.generation.stateful import run_state_machine_as_test
from schemathesis.wfc.escalation import EscalatingAuthProvider

from accounts.models import User
from accounts.services.sessions import open_session
from tests.factories import PASSWORD, MessageFactory, UserFactory
from tests.fuzzing.checks import ALL
from tests.fuzzing.conftest import Count
from tests.fuzzing.drawing import EXAMPLES, drawn, is_good, limits

pytestmark = pytest.mark.usefixtures("channels_on", "assistant_on")

#: Several machines, so that several processes share the work.
SHARDS = 4
STEPS = 12
#: Out of the way of drawn ids, since nobody is to write to her.
MALLORY = 10**15
#: Of which a request may have one.
CURSORS = ["after", "before", "skip"]
#: After these the token is no good any more.
LOGOUTS = {"/auth/logout", "/auth/logout-all", "/auth/sessions/{id}", "/auth/me/password", "/auth/refresh"}


class Token:
    """An AuthProvider: the token that somebody has at the time."""

    def __init__(self, user: User) -> None:
        self.user = user
        self.log_in()

    def log_in(self) -> None:
        _, tokens = open_session(self.user)
        self.value = tokens.access_token

    def get(self, case: schemathesis.Case, context: Any) -> str:
        return self.value

    def set(self, case: schemathesis.Case, data: str, context: Any) -> None:
        case.headers["Authorization"] = f"Bearer {data}"


@cache
def restarts() -> list[str]:
    """SQL that has PostgreSQL give ids from 1 on once more."""
    apps = ("accounts_", "assistant_", "audit_", "channels_", "messaging_", "reports_")
    sequences = [one for one in connection.introspection.sequence_list() if one["table"].startswith(apps)]
    return connection.ops.sequence_reset_by_name_sql(no_style(), sequences)


def restart_ids() -> None:
    """Gives the same ids to every history, as SQLite does once one is undone.

    What is drawn depends on the answers, and hypothesis, which repeats how others began, wants the same ones.
    """
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            for sql in restarts():
                cursor.execute(sql)


def machine_for(count: Count) -> Any:
    schema = drawn(thoroughly=False, logged_in=True)

    class Workflow(schema.as_state_machine()):
        def setup(self) -> None:
            restart_ids()
            self.undo = transaction.atomic()
            self.undo.__enter__()
            self.alice, self.bob = UserFactory(username="alice"), UserFactory(username="bob")
            MessageFactory(sender=self.bob, recipient=self.alice)
            self.token = Token(self.alice)
            peers = ("alice", "mallory")
            providers = [self.token, Token(UserFactory(username="mallory", pk=MALLORY))]
            schema.auth.providers[:] = [
                EscalatingAuthProvider(providers, list(peers), peers=peers, pinned="alice")
            ]

        def teardown(self) -> None:
            transaction.set_rollback(True)
            self.undo.__exit__(None, None, None)

        def before_call(self, case: schemathesis.Case) -> None:
            count()
            if is_good(case, ParameterLocation.QUERY):
                for extra in [one for one in CURSORS if one in case.query][1:]:
                    del case.query[extra]
            if not isinstance(case.body, dict) or not is_good(case, ParameterLocation.BODY):
                return
            known = {"recipient_id": self.bob.pk, "current_password": PASSWORD}
            if case.path == "/auth/login":
                known |= {"username": "alice", "password": PASSWORD}
            case.body |= {name: value for name, value in known.items() if name in case.body}

        def after_call(self, response: schemathesis.Response, case: schemathesis.Case) -> None:
            super().after_call(response, case)
            if case.path in LOGOUTS and case.method != "GET":
                self.alice.refresh_from_db()
                self.token.log_in()

        def validate_response(
            self, response: schemathesis.Response, case: schemathesis.Case, *args: Any, **kwargs: Any
        ) -> None:
            case.validate_response(response, checks=ALL, recorder=self.recorder)

    return Workflow


@pytest.mark.parametrize("shard", range(SHARDS))
def test_the_description_holds_for_whatever_follows_from_an_answer(
    shard: int, transaction_kept: None, count: Count
) -> None:
    machine = type(f"Workflow{shard}", (machine_for(count),), {})
    run_state_machine_as_test(
        machine,
        settings=limits(EXAMPLES, stateful_step_count=STEPS, phases=[Phase.generate, Phase.shrink]),
    )
