"""From a question over tools to an answer, with a provider that has its quirks."""

import re
from pathlib import Path
from typing import Any

import pytest
from rest_framework.test import APIClient

from accounts.models import User
from accounts.services.users import grant_superuser
from assistant.models import Step, Usage
from assistant.services.allowance import USED_UP
from assistant.tests.conftest import SwitchOn, answers_to, ask, work
from assistant.tests.stub import Says, problem
from assistant.tools import TOOLS
from conftest import ApiClient
from reports.models import Report
from reports.services import file_report
from tests.factories import MessageFactory, ReportFactory

pytestmark = pytest.mark.django_db
QUIRKS = ["", "index0", "noid", "dict", "stop", "noindex", "lateid"]
CREATE = ("create_report", {"title": "Noise", "content": "It never stops."})
LIST = ("list_my_reports", {})


@pytest.mark.parametrize("stream", ["on", "off"])
@pytest.mark.parametrize("quirk", QUIRKS)
def test_two_calls_are_run_once_each_in_their_order(  # B24
    switch_on: SwitchOn, as_user: ApiClient, alice: User, quirk: str, stream: str
) -> None:
    calls = Says("", calls=(CREATE, LIST), quirks=frozenset({quirk} - {""}))
    stub = switch_on(calls, Says("Filed."), stream=stream)

    ask(as_user(alice), "Please report the noise.")
    work()

    report = Report.objects.get()
    created, listed = (turn for turn in stub.requests[1]["messages"] if turn["role"] == "tool")
    assert f'"id": {report.pk}' in created["content"]
    assert "Noise" in listed["content"]
    called = next(turn for turn in stub.requests[1]["messages"] if turn.get("tool_calls"))
    assert [call["id"] for call in called["tool_calls"]] == [
        created["tool_call_id"],
        listed["tool_call_id"],
    ]
    assert len({call["id"] for call in called["tool_calls"]}) == 2
    assert answers_to(alice)[0].endswith("Filed.")


def test_after_some_rounds_the_model_must_answer(  # B25
    switch_on: SwitchOn, as_user: ApiClient, alice: User
) -> None:
    stub = switch_on(Says("", calls=(LIST,)), tool_rounds=6)

    reply = ask(as_user(alice), "Go on.")
    work()

    reply.refresh_from_db()
    assert (reply.state, Step.objects.count()) == ("done", 6)
    assert len(stub.requests) == 7
    assert len(answers_to(alice)) == 1


def test_a_model_that_errs_is_told_and_goes_on(  # B25
    switch_on: SwitchOn, as_user: ApiClient, alice: User
) -> None:
    stub = switch_on(
        Says("", calls=(("create_report", '{"title": '), ("no_such_tool", {}))),
        Says("", calls=(CREATE,)),
        Says("Done."),
    )

    ask(as_user(alice))
    work()

    told = [turn["content"] for turn in stub.requests[1]["messages"] if turn["role"] == "tool"]
    assert told == ['{"error": "The arguments are no valid JSON"}', '{"error": "There is no such tool"}']
    assert Report.objects.count() == 1
    assert answers_to(alice)[0].endswith("Done.")


def test_an_attempt_after_a_step_runs_no_tool_again(  # B12
    switch_on: SwitchOn, as_user: ApiClient, alice: User
) -> None:
    stub = switch_on(Says("", calls=(CREATE,)), problem(500), problem(500), Says("Filed."))

    ask(as_user(alice))
    work()

    assert Report.objects.count() == 1
    assert [turn["role"] for turn in stub.requests[3]["messages"]] == ["system", "user", "assistant", "tool"]
    assert answers_to(alice)[0].endswith("Filed.")


@pytest.mark.parametrize("is_superuser", [False, True])
def test_no_answer_holds_what_others_reported(  # B27, B29
    switch_on: SwitchOn, as_user: ApiClient, alice: User, bob: User, superuser: User, is_superuser: bool
) -> None:
    if is_superuser:
        grant_superuser(alice, actor=superuser)
    file_report(alice, title="Mine", content="x")
    other = ReportFactory(reporter=bob, title="Bob's secret")

    def repeats(request: dict[str, Any]) -> Says:
        return Says(f"It says: {request['messages'][-1]['content']}")

    stub = switch_on(Says("", calls=(("get_my_report", {"id": other.pk}), LIST)), repeats)

    ask(as_user(alice), "Show me bob's report.")
    work()

    assert "Report not found" in stub.requests[1]["messages"][-2]["content"]
    assert "Bob's secret" not in str(stub.requests)
    assert '"Mine"' in answers_to(alice)[0]


def test_messages_are_searched_once_they_are_shared(  # B33
    switch_on: SwitchOn, as_user: ApiClient, alice: User, bob: User
) -> None:
    MessageFactory(sender=bob, recipient=alice, content="The cake is in the oven.")
    search = Says("", calls=(("search_my_messages", {"query": "cake"}),))
    stub = switch_on(search, Says("No."), search, Says("In the oven."))
    me = as_user(alice)
    ask(me, "Where is the cake?")
    work()
    assert "oven" not in str(stub.requests)
    assert "search_my_messages" not in str(stub.requests[0]["tools"])

    assert me.patch("/assistant", {"share_messages": True}).json()["share_messages"] is True
    ask(me, "And now?")
    work()

    assert "search_my_messages" in str(stub.requests[2]["tools"])
    assert "in the oven" in stub.requests[3]["messages"][-1]["content"]


def test_it_forgets_when_it_is_asked_to(switch_on: SwitchOn, as_user: ApiClient, alice: User) -> None:
    forgets = Says("", calls=(("forget_conversation", {}),))
    stub = switch_on(Says("Noted."), forgets, Says("Done."), Says("Who?"))
    me = as_user(alice)
    for question in ("My cat is called Tom.", "Forget that.", "And my cat?"):
        ask(me, question)
        work()

    assert "Tom" in str(stub.requests[1]["messages"])
    assert "Tom" not in str(stub.requests[3]["messages"])
    assert stub.said(3)[-1] == ("user", "And my cat?")
    assert len(me.get("/messages").json()) == 6


# --- The allowance ----------------------------------------------------------------------------------

#: More than one call of these tests reserves, and less than two.
FOR_ONE = 2500


def test_questions_past_the_allowance_are_kept_and_told_once(  # B38
    switch_on: SwitchOn, as_user: ApiClient, alice: User, bob: User
) -> None:
    usage = {"prompt_tokens": 1500, "completion_tokens": 800, "total_tokens": 2300}
    stub = switch_on(Says("Hello", usage=usage), tokens_per_day=FOR_ONE)
    me = as_user(alice)
    replies = [ask(me, f"Q{number}") for number in range(3)]
    work()

    for reply in replies:
        reply.refresh_from_db()
    assert [(reply.state, reply.reason) for reply in replies] == [
        ("done", None),
        ("skipped", "used_up"),
        ("skipped", "used_up"),
    ]
    assert answers_to(alice)[1:] == [USED_UP]
    assert len(stub.requests) == 1
    assert me.get("/assistant").json()["tokens_used"] == 2300
    assert Usage.objects.get(user=alice).tokens <= FOR_ONE
    # Another has their own.
    ask(as_user(bob))
    work()
    assert len(answers_to(bob)) == 1


def test_who_waits_is_told_when_it_starts_anew(
    switch_on: SwitchOn, as_user: ApiClient, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    stub = switch_on(Says("Hello"), tokens_per_day=10)
    monkeypatch.setattr("assistant.services.waiting.time.sleep", lambda seconds: work())
    me: APIClient = as_user(alice)

    answer = me.post("/messages/ai", {"content": "Hi"})

    assert answer.status_code == 429
    assert 0 < int(answer["Retry-After"]) <= 24 * 3600
    assert "used up" in answer.json()["detail"]
    assert stub.requests == []
    # The question is kept, and the notice is there.
    assert [message["content"] for message in me.get("/messages").json()] == ["Hi", USED_UP]


def test_where_the_server_does_not_count_we_do(  # B39
    switch_on: SwitchOn, as_user: ApiClient, alice: User
) -> None:
    switch_on(Says("x" * 300, usage=None), price_in=1, price_out=10)

    reply = ask(as_user(alice))
    work()

    reply.refresh_from_db()
    assert reply.tokens_in > 300
    assert reply.tokens_out == 104
    assert Usage.objects.get(user=alice).tokens == reply.tokens_in + reply.tokens_out
    assert reply.cost > 0


def test_a_call_that_fails_costs_nothing(switch_on: SwitchOn, as_user: ApiClient, alice: User) -> None:
    switch_on(problem(500))
    ask(as_user(alice))
    work()

    usage = Usage.objects.get(user=alice)
    assert (usage.requests, usage.tokens, usage.reserved) == (5, 0, 0)


# --- The guide --------------------------------------------------------------------------------------


def test_the_tool_of_the_guide_works(
    switch_on: SwitchOn,
    as_user: ApiClient,
    alice: User,
    bob: User,
    no_tools: dict[str, Any],
) -> None:
    guide = (Path(__file__).resolve().parents[2] / "docs/assistant.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", guide, re.DOTALL)
    exec(compile(code, "docs/assistant.md", "exec"), {})  # noqa: S102  our own page
    MessageFactory(sender=bob, recipient=alice)
    stub = switch_on(Says("", calls=(("count_unread", {}),)), Says("One."))

    ask(as_user(alice), "How many?")
    work()

    assert list(TOOLS) == ["count_unread"]
    assert stub.requests[1]["messages"][-1]["content"] == '{"unread": 1}'


def test_the_guide_names_every_tool() -> None:
    guide = (Path(__file__).resolve().parents[2] / "docs/assistant.md").read_text()
    table = guide[guide.index("| tool |") :]

    assert set(TOOLS) <= set(re.findall(r"`(\w+)`", table))


def test_no_tool_takes_its_user_from_anywhere_but_the_reply() -> None:
    """What a tool knows of users comes from `call.asker`; none looks a user up by what the model gave."""
    folder = Path(__file__).resolve().parents[1] / "tools"
    for module in sorted(folder.glob("*.py")):
        found = re.findall(r"User\.objects\.\w+", module.read_text())
        # search_my_messages looks up with whom; what it then reads is the asker's own all the same.
        assert found == (["User.objects.named"] if module.name == "messages.py" else []), module.name
