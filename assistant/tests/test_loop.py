"""The model asks for tools: what it is told, and that what they change is changed once."""

from collections.abc import Callable
from typing import Any

import pytest

from accounts.models import User
from assistant import provider
from assistant.models import DISCLOSURE, Reply, Step
from assistant.sentences import CANNOT_HELP
from assistant.services import finishing
from assistant.services.claiming import claim
from assistant.tests.conftest import SwitchOn, answers_to, ask, work
from assistant.tests.killing import note
from assistant.tests.stub import Says, problem
from assistant.tools import Tool
from reports.models import Report

pytestmark = pytest.mark.django_db
ApiClient = Callable[..., Any]
OPENING = f"{DISCLOSURE}\n\n"
TITLE = {"type": "object", "properties": {"title": {"type": "string"}}, "required": ["title"]}


@pytest.fixture
def tools(no_tools: dict[str, Tool]) -> dict[str, Tool]:
    """`note` files a report, `who` says for whom it works."""
    no_tools["note"] = Tool("note", "Files a note.", TITLE, note, changes=True)
    anything: dict[str, Any] = {"type": "object", "properties": {}}
    no_tools["who"] = Tool(
        "who", "Says who asks.", anything, lambda call, arguments: {"asker": call.asker.username}
    )
    return no_tools


def told(request: dict[str, Any]) -> list[str]:
    """What the model reads of tools' results."""
    return [turn["content"] for turn in request["messages"] if turn["role"] == "tool"]


def test_it_reads_what_tools_return(
    switch_on: SwitchOn, as_user: ApiClient, alice: User, tools: dict[str, Tool]
) -> None:
    """B28: whose tool it is comes from the reply, whatever the model says."""
    call = ("who", {"asker": "bob", "user_id": 2})
    stub = switch_on(Says("I look.", calls=(call,)), Says("You are Alice."))
    ask(as_user(alice))
    work()

    first, second = stub.requests
    assert [tool["function"]["name"] for tool in first["tools"]] == ["note", "who"]
    assert told(second) == ['{"asker": "alice"}']
    asked, answered = second["messages"][-2:]
    assert asked["tool_calls"][0]["id"] == answered["tool_call_id"]
    # What it said before is not the answer.
    assert answers_to(alice) == [f"{OPENING}You are Alice."]
    reply = Reply.objects.get()
    assert (reply.tokens_in, reply.tokens_out) == (200, 40)
    assert reply.steps.count() == 1


@pytest.mark.parametrize("stream", ["on", "off"])
@pytest.mark.parametrize("quirk", ["index0", "noid", "dict", "stop", "noindex", "lateid"])
def test_two_calls_run_once_each_whatever_the_server_does(
    switch_on: SwitchOn, as_user: ApiClient, alice: User, tools: dict[str, Tool], quirk: str, stream: str
) -> None:
    """B24."""
    calls = (("note", {"title": "one"}), ("note", {"title": "two"}))
    stub = switch_on(Says("", calls=calls, quirks=frozenset({quirk})), Says("Both."), stream=stream)
    ask(as_user(alice))
    work()
    assert list(Report.objects.order_by("pk").values_list("title", flat=True)) == ["one", "two"]
    assert len(told(stub.requests[1])) == 2
    assert answers_to(alice) == [f"{OPENING}Both."]


def test_its_mistakes_are_told_to_it(
    switch_on: SwitchOn, as_user: ApiClient, alice: User, tools: dict[str, Tool]
) -> None:
    """B25."""
    calls = (("note", "{bad"), ("nothing", {}), ("note", "[]"), ("note", {"title": "x" * 300, "no": 1}))
    stub = switch_on(Says("", calls=calls), Says("I give up."))
    ask(as_user(alice))
    work()
    results = told(stub.requests[1])
    assert len(results) == 4
    assert all("error" in result for result in results[:3])
    assert answers_to(alice) == [f"{OPENING}I give up."]


def test_after_some_rounds_it_must_answer(
    switch_on: SwitchOn, as_user: ApiClient, alice: User, tools: dict[str, Tool]
) -> None:
    """B25: the seventh call may ask for no tool."""
    stub = switch_on(Says("", calls=(("who", {}),)), tool_rounds=6)
    ask(as_user(alice))
    work()
    assert len(stub.requests) == 7
    assert Step.objects.count() == 6
    assert [request.get("tool_choice") for request in stub.requests] == [None] * 6 + ["none"]
    assert answers_to(alice) == [f"{OPENING}{CANNOT_HELP}"]


def test_without_rounds_there_are_no_tools(
    switch_on: SwitchOn, as_user: ApiClient, alice: User, tools: dict[str, Tool]
) -> None:
    stub = switch_on(Says("Plain."), tool_rounds=0)
    ask(as_user(alice))
    work()
    assert "tools" not in stub.requests[0]


def test_no_more_than_three_changes_are_made_for_one_question(
    switch_on: SwitchOn, as_user: ApiClient, alice: User, tools: dict[str, Tool]
) -> None:
    calls = tuple(("note", {"title": f"note {number}"}) for number in range(6))
    switch_on(Says("", calls=calls), Says("Done."))
    ask(as_user(alice))
    work()
    assert Report.objects.count() == 3


def test_a_step_is_not_taken_again_when_a_later_call_fails(
    switch_on: SwitchOn, as_user: ApiClient, alice: User, tools: dict[str, Tool]
) -> None:
    stub = switch_on(
        Says("", calls=(("note", {"title": "once"}),)), problem(500), problem(500), Says("Noted.")
    )
    ask(as_user(alice))
    work()
    assert Report.objects.count() == 1
    assert len(stub.requests) == 4
    assert [len(told(request)) for request in stub.requests] == [0, 1, 1, 1]
    assert answers_to(alice) == [f"{OPENING}Noted."]


def test_a_step_is_not_taken_again_when_all_is_tried_again(
    switch_on: SwitchOn, as_user: ApiClient, alice: User, tools: dict[str, Tool]
) -> None:
    stub = switch_on(Says("", calls=(("note", {"title": "once"}),)), problem(400))
    client = as_user(alice)
    reply = ask(client)
    work()
    stub.behaviours = [Says("Noted.")]
    client.post(f"/assistant/replies/{reply.pk}/retry")
    work()
    assert Report.objects.count() == 1
    assert answers_to(alice)[-1] == "Noted."


def test_who_has_lost_the_reply_changes_nothing(
    switch_on: SwitchOn,
    as_user: ApiClient,
    alice: User,
    tools: dict[str, Tool],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    switch_on(Says("", calls=(("note", {"title": "too late"}),)))
    call = provider.ask

    def call_and_lose(*args: Any, **kwargs: Any) -> Any:
        completion = call(*args, **kwargs)
        Reply.objects.update(attempt=99)
        return completion

    monkeypatch.setattr(provider, "ask", call_and_lose)
    ask(as_user(alice))
    work()
    assert not Report.objects.exists()
    assert not Step.objects.exists()


def test_what_fails_while_it_is_stored_leaves_no_change(
    switch_on: SwitchOn,
    as_user: ApiClient,
    alice: User,
    tools: dict[str, Tool],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    switch_on(
        Says("", calls=(("note", {"title": "half"}),)),
        Says("", calls=(("note", {"title": "whole"}),)),
        Says("Ok"),
    )
    save, times = Step.save, []

    def break_once(self: Step, **kwargs: Any) -> None:
        times.append(1)
        if len(times) == 1:
            raise ZeroDivisionError
        save(self, **kwargs)

    monkeypatch.setattr(Step, "save", break_once)
    ask(as_user(alice))
    work()
    assert list(Report.objects.values_list("title", flat=True)) == ["whole"]
    assert answers_to(alice) == [f"{OPENING}Ok"]


def test_an_answer_is_sent_once_though_it_is_finished_twice(
    switch_on: SwitchOn, as_user: ApiClient, alice: User
) -> None:
    switch_on()
    reply = claim(ask(as_user(alice)).pk, holder="a")
    assert reply is not None
    finishing.finish(reply, Reply.State.DONE, text="Once")
    # As if the row had been lost, and the message not.
    Reply.objects.update(state="running", answer=None)
    again = Reply.objects.select_related("asker", "profile__user").get()
    finishing.finish(again, Reply.State.DONE, text="Twice")
    assert answers_to(alice) == ["Once"]
