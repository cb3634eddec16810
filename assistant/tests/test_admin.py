"""The assistant in the admin."""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from accounts.models import Role, User
from assistant.models import Profile, Reply, Usage
from assistant.services.allowance import today
from assistant.services.handoff import TITLE
from assistant.tests import questions
from assistant.tests.conftest import SwitchOn, answers_to, ask, work
from assistant.tests.stub import Says, problem
from assistant.tools import TOOLS
from assistant.tools.running import offered_tools
from conftest import ApiClient
from reports.models import Report
from reports.services import file_report
from reports.tests.desks import page_of

pytestmark = pytest.mark.django_db
Browsers = Callable[[User], Client]

PROFILES, REPLIES, USAGE = (f"/admin/assistant/{name}/" for name in ("profile", "reply", "usage"))


@pytest.fixture
def desk(browser_of: Browsers, superuser: User) -> Client:
    return browser_of(superuser)


def page(desk: Client, url: str) -> str:
    answer = desk.get(url, follow=True)
    assert answer.status_code == 200, url
    return answer.content.decode()


def form(bot: Profile, **changed: Any) -> dict[str, Any]:
    return {"prompt": bot.prompt, "disclosure": bot.disclosure, "tools": list(TOOLS), "roles": [], **changed}


def save(desk: Client, bot: Profile, **changed: Any) -> str:
    answer = desk.post(f"{PROFILES}{bot.pk}/change/", form(bot, **changed), follow=True)
    bot.refresh_from_db()
    return answer.content.decode()


# --- The assistant ------------------------------------------------------------------------------


def test_its_words_and_tools_are_set_there(
    switch_on: SwitchOn, desk: Client, as_user: ApiClient, alice: User, bot: Profile
) -> None:
    stub = switch_on(Says("Arr."))
    save(desk, bot, prompt="You are a pirate.", disclosure="I am a parrot.", tools=["find_people"])

    ask(as_user(alice))
    work()

    assert bot.tools_off == sorted(set(TOOLS) - {"find_people"})
    assert stub.requests[0]["messages"][0]["content"].startswith("You are a pirate.")
    assert [tool["function"]["name"] for tool in stub.requests[0]["tools"]] == ["find_people"]
    assert answers_to(alice) == ["I am a parrot.\n\nArr."]
    assert as_user(alice).get("/assistant").json()["disclosure"] == "I am a parrot."


def test_it_is_for_roles(
    switch_on: SwitchOn, desk: Client, as_user: ApiClient, alice: User, bob: User, bot: Profile
) -> None:
    """B44."""
    switch_on(Says("Hello"))
    role = Role.objects.create(name="customers")
    alice.groups.add(role)
    save(desk, bot, roles=[role.pk])

    hers, his = (as_user(user) for user in (alice, bob))
    assert hers.post("/messages", {"recipient_id": -1, "content": "Hi"}).status_code == 201
    assert his.post("/messages", {"recipient_id": -1, "content": "Hi"}).status_code == 403
    assert len(hers.get("/auth/directory?search=assis").json()) == 1
    assert his.get("/auth/directory?search=assis").json() == []


def test_tools_are_for_roles(
    switch_on: SwitchOn, desk: Client, as_user: ApiClient, alice: User, bob: User, bot: Profile
) -> None:
    role = Role.objects.create(name="customers")
    alice.groups.add(role)
    save(desk, bot, tool_roles=[f"create_report:{role.pk}"])
    assert bot.tool_roles == {"create_report": [role.pk]}

    files = Says("", calls=(("create_report", {"title": "t", "content": "c"}),))
    for user, done in ((bob, False), (alice, True)):
        stub = switch_on(files, Says("Ok"))
        ask(as_user(user))
        work()
        assert ("create_report" in str(stub.requests[0]["tools"])) is done
        assert Report.objects.filter(reporter=user).exists() is done

    shown = page(desk, f"{PROFILES}{bot.pk}/change/")
    assert re.findall(r'value="(\w+:\d+)"[^>]* checked', shown) == [f"create_report:{role.pk}"]
    role.delete()
    assert "create_report" not in [
        tool.name for tool in offered_tools(questions.ask(User.objects.get(pk=alice.pk)), [])
    ]
    save(desk, bot)
    assert bot.tool_roles == {}


@pytest.mark.parametrize(
    "changed",
    [
        {"prompt": ""},
        {"prompt": "x" * 20_001},
        {"disclosure": "x" * 1001},
        {"tools": ["rm"]},
        {"tool_roles": ["create_report:99999"]},
        {"tool_roles": ["create_report"]},
        {"tool_roles": ["rm:1"]},
        {"roles": ["x"]},
        {"roles": [99999]},
    ],
)
def test_a_wrong_form_is_shown_again(desk: Client, bot: Profile, changed: dict[str, Any]) -> None:
    answer = desk.post(f"{PROFILES}{bot.pk}/change/", form(bot, **changed))

    assert answer.status_code == 200
    assert "errorlist" in answer.content.decode()
    before = (bot.prompt, bot.disclosure, bot.tools_off)
    bot.refresh_from_db()
    assert (bot.prompt, bot.disclosure, bot.tools_off) == before


def test_a_prompt_leaves_room(desk: Client, bot: Profile, settings: Settings) -> None:
    settings.ASSISTANT = replace(settings.ASSISTANT, context_tokens=1000)

    assert "would leave no room" in save(desk, bot, prompt="x" * 1600)
    assert "changed successfully" in save(desk, bot, prompt="x" * 1400)


def test_it_is_switched_off_at_once(
    switch_on: SwitchOn, desk: Client, as_user: ApiClient, alice: User, bot: Profile
) -> None:
    stub = switch_on(Says("Hello"))
    me = as_user(alice)
    running, waiting = ask(me, "One"), ask(me, "Two")
    Reply.objects.filter(pk=running.pk).update(state="running", lease_until=timezone.now(), holder="x")
    sent = {"action": "switch_off", "_selected_action": [bot.pk]}
    assert "Switch 1 assistant off?" in desk.post(PROFILES, sent).content.decode()
    desk.post(PROFILES, {**sent, "confirmed": "yes"})
    work()

    assert me.post("/messages", {"recipient_id": -1, "content": "Hi"}).status_code == 404
    for reply, reason in ((running, "switched_off"), (waiting, "not_open")):
        reply.refresh_from_db()
        assert (reply.state, reply.reason) == ("skipped", reason)
    assert stub.requests == []

    desk.post(PROFILES, {**sent, "action": "switch_on", "confirmed": "yes"})
    ask(me, "Three")
    work()
    assert len(answers_to(alice)) == 1


@pytest.mark.parametrize("role", ["moderator", "clerk", "alice"])
def test_it_is_for_superusers(
    request: pytest.FixtureRequest, browser_of: Browsers, question: Reply, role: str
) -> None:
    browser = browser_of(request.getfixturevalue(role))
    pages = [PROFILES, f"{PROFILES}{question.profile_id}/change/"]
    pages += [REPLIES, f"{REPLIES}{question.pk}/change/", USAGE]
    for url in pages:
        assert browser.get(url).status_code in (302, 403), url


@pytest.mark.parametrize(("status", "words"), [(401, "KEY"), (403, "MODEL"), (404, "URL")])
def test_a_provider_that_refuses_is_shown_to_all_staff(
    switch_on: SwitchOn,
    desk: Client,
    browser_of: Browsers,
    moderator: User,
    as_user: ApiClient,
    alice: User,
    bot: Profile,
    status: int,
    words: str,
) -> None:
    """B18."""
    switch_on(problem(status))
    assert "refuses to answer" not in page(desk, "/admin/")
    ask(as_user(alice))
    work()

    for browser in (desk, browser_of(moderator)):
        assert f"refuses to answer ({status})" in page(browser, "/admin/")
    assert f"AI_MESSAGE_ASSISTANT_{words}" in page(desk, f"{PROFILES}{bot.pk}/change/")
    assert "secret detail" not in page(desk, "/admin/")


# --- Numbers ------------------------------------------------------------------------------------


@pytest.fixture
def answered(switch_on: SwitchOn, as_user: ApiClient, alice: User, settings: Settings) -> Reply:
    """alice had a report filed, by a model that also called a tool of its own invention."""
    report = {"title": "Secret title", "content": "Secret content"}
    switch_on(
        Says("", calls=(("create_report", report), ("secret_tool", {"a": "Secret argument"}))),
        Says("Secret answer"),
        price_in=1,
        price_out=2,
    )
    reply = ask(as_user(alice), "Secret question")
    work()
    reply.refresh_from_db()
    return reply


def test_replies_are_shown_without_a_word_of_them(answered: Reply, desk: Client) -> None:
    report = Report.objects.get()

    shown = page(desk, REPLIES) + page(desk, f"{REPLIES}{answered.pk}/change/")

    assert "ecret" not in shown
    assert "create_report, (unknown tool) (refused)" in shown
    assert f"Report {report.pk}" in shown
    assert "done" in shown.lower()
    assert "0.000280" in shown
    assert page(desk, f"{REPLIES}?asker__id__exact={answered.asker_id}")
    assert desk.get(f"{REPLIES}?asker__password__startswith=x").status_code == 400


def test_usage_is_shown_by_day_and_user(answered: Reply, desk: Client, alice: User) -> None:
    shown = page(desk, USAGE)

    assert "everybody" in shown
    assert "alice" in shown
    assert "0.000280" in shown
    only = page(desk, f"{USAGE}?user__id__exact={alice.pk}")
    assert "everybody" not in only.split("result_list")[1]
    of_all = page(desk, f"{USAGE}?user__isempty=1")
    assert "alice" not in of_all.split("result_list")[1].split("</table>")[0]
    assert "Everybody together" in of_all


def test_lists_take_a_constant_number_of_queries(question: Reply, desk: Client, alice: User) -> None:
    def count() -> int:
        with CaptureQueriesContext(connection) as queries:
            page(desk, REPLIES)
            page(desk, USAGE)
        return len(queries)

    Usage.objects.create(user=alice, day=today())
    count()
    first = count()
    for _ in range(5):
        questions.ask(alice)
        User.objects.create_user(f"u{_}", f"u{_}@example.org", "x")
        Usage.objects.create(user=User.objects.latest("pk"), day=today())
    assert count() == first


def test_a_users_page_shows_what_they_use(answered: Reply, desk: Client, alice: User, bob: User) -> None:
    shown = page(desk, f"/admin/accounts/user/{alice.pk}/change/")

    assert "240 tokens of 50000" in shown
    assert "2 calls" in shown
    assert "0 tokens of 50000" in page(desk, f"/admin/accounts/user/{bob.pk}/change/")


def test_the_deletion_of_a_user_says_what_goes(answered: Reply, desk: Client, alice: User) -> None:
    assert "1 answer of the assistant" in page(desk, f"/admin/accounts/user/{alice.pk}/delete/")


# --- Reports ------------------------------------------------------------------------------------


def test_a_report_says_that_the_assistant_filed_it(
    answered: Reply, desk: Client, browser_of: Browsers, moderator: User
) -> None:
    report = Report.objects.get()

    assert "The assistant filed it" in page(browser_of(moderator), page_of(report))
    assert f"Reply {answered.pk}" in page(desk, page_of(report))
    assert f"Reply {answered.pk}" not in page(browser_of(moderator), page_of(report))


def test_superusers_see_how_a_reported_answer_came_about(
    answered: Reply, desk: Client, browser_of: Browsers, moderator: User, alice: User
) -> None:
    """B46."""
    report, _ = file_report(alice, title="Nonsense", content="See there.", message_id=answered.answer_id)

    shown = page(desk, page_of(report))
    assert "How the assistant came to its answer" in shown
    assert "Secret argument" in shown
    assert "create_report" in shown
    hidden = page(browser_of(moderator), page_of(report))
    assert "Secret argument" not in hidden
    assert "How the assistant came" not in hidden


def test_reports_of_others_have_none_of_it(
    answered: Reply, browser_of: Browsers, desk: Client, bob: User
) -> None:
    report, _ = file_report(bob, title="Other", content="Text")

    shown = page(desk, page_of(report))
    for title in ("How the assistant", "The assistant's part", "Waits for a person", TITLE):
        assert title not in shown
