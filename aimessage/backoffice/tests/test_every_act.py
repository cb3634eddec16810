"""Every act that the admin offers leaves its row: a page, an action or a button that is new fails here
until it is listed below with what the trail then says of it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.conf import settings
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.test import Client, RequestFactory
from django.utils import timezone

from accounts.models import FailedLogin, Invitation, PersonalToken, Role, Session, User
from accounts.services.leaving import find_pending, request_deletion
from accounts.tests.factors import enrol
from aimessage.audit.chain import current_head, verify_chain
from aimessage.audit.models import Entry
from aimessage.backoffice.pages import AuditedAdmin
from aimessage.jobs.models import Job
from aimessage.jobs.running import run_due
from aimessage.jobs.tests import tasks
from aimessage.mail.models import Mail
from aimessage.webhooks.models import Delivery, Endpoint
from aimessage.webhooks.services import BY_HAND, disable_endpoint, register_endpoint, send_test
from assistant.account import get_profile
from assistant.models import DISCLOSURE, Profile, Thread
from channels.models import Address, Sender
from channels.models import Delivery as ChannelDelivery
from channels.models import Thread as ChannelThread
from reports.models import Report
from reports.services import file_report, moderate_report
from tests.factories import (
    PASSWORD,
    FailedLoginFactory,
    InvitationFactory,
    MessageFactory,
    PersonalTokenFactory,
    ReportFactory,
    SessionFactory,
    UserFactory,
)

pytestmark = pytest.mark.django_db

NEW_PASSWORD = "orange-anvil-77"
#: What is said in private, and so never in the trail.
WHISPER = "This is between the two of us."
PLAIN_VIEWS = {"changelist", "add", "history", "delete", "change"}


class Part(dict[str, Any]):
    """Some of what a row tells."""


@dataclass
class Done:
    """A request, and the acts that it is to leave in the trail, in order: act, on whom, before, after."""

    url: str
    data: dict[str, Any] = field(default_factory=dict)
    rows: list[tuple[str, str, dict[str, Any], dict[str, Any]]] = field(default_factory=list)
    method: str = "post"


@dataclass
class World:
    """bob insulted alice, who reported it, and is logged in once."""

    ruler: User
    bob: User
    session: Session
    report: Report
    resolved: Report
    role: Role
    failure: FailedLogin
    locked_out: User
    job: Job
    token: PersonalToken
    invitation: Invitation
    endpoint: Endpoint
    silent: Endpoint
    delivery: Delivery
    leaver: User
    mail: Mail
    assistant: Profile
    switched_off: Profile
    asked: Report
    number: Sender
    part: ChannelDelivery


@pytest.fixture
def world(superuser: User, alice: User, bob: User) -> World:
    message = MessageFactory(sender=bob, recipient=alice, content=WHISPER)
    report, _ = file_report(alice, title="Insults", content="See there.", message_id=message.pk)
    locked_out = UserFactory(username="dave")
    for _ in range(settings.LOCKOUT_FAILURES):
        FailedLoginFactory(user=locked_out, ip_address="10.0.0.2")
    tasks.break_down.enqueue()
    run_due()
    enrol(locked_out)
    resolved = moderate_report(
        ReportFactory(title="Done"), actor=superuser, status="resolved", comment="Old."
    )
    leaver = UserFactory(username="leo")
    request_deletion(leaver, erases=False)
    leaver.refresh_from_db()
    endpoint, silent = Endpoint(url="https://a.example/hook"), Endpoint(url="https://b.example/hook")
    for each in (endpoint, silent):
        register_endpoint(each)
    disable_endpoint(silent, reason=BY_HAND)
    delivery = send_test(endpoint)
    Delivery.objects.update(status="failed", due_at=None, settled_at=timezone.now())
    assistant = get_profile()
    asked = ReportFactory(reporter=alice, title="Asks for a person")
    hers = MessageFactory(sender=alice, recipient=UserFactory(username="helper-bot", kind="bot"))
    switched_off = Profile.objects.create(
        name="second", user=hers.recipient, is_active=False, prompt="p", disclosure="d"
    )
    Thread.objects.create(
        user=alice,
        profile=switched_off,
        paused_at=timezone.now(),
        paused_report=asked,
        paused_conversation_id=hers.conversation_id,
    )
    number = Sender.objects.create(
        address="+15005550006", account_sid="AC1", paused_reason="Wrong key", paused_until=timezone.now()
    )
    address = Address.objects.create(value="+14155550100", user=bob, linked_at=timezone.now())
    thread = ChannelThread.objects.create(address=address, sender=number, reply_to=address.value)
    part = ChannelDelivery.objects.create(
        message=message, thread=thread, state="failed", error_code=21614, error="No mobile", due_at=None
    )
    return World(
        assistant=assistant,
        switched_off=switched_off,
        asked=asked,
        number=number,
        part=part,
        leaver=leaver,
        mail=Mail.objects.create(kind="password_changed", user=bob, state="failed"),
        endpoint=endpoint,
        silent=silent,
        delivery=delivery,
        ruler=UserFactory(username="ruler", is_superuser=True),
        bob=bob,
        session=SessionFactory(user=bob, session_token="f" * 64),
        report=report,
        resolved=resolved,
        role=Role.objects.create(name="helper", description="Helps."),
        failure=FailedLoginFactory(user=bob, ip_address="10.0.0.1"),
        locked_out=locked_out,
        job=Job.objects.get(task_path__endswith="break_down"),
        token=PersonalTokenFactory(user=bob),
        invitation=InvitationFactory(),
    )


def scenarios(world: World) -> dict[str, Done]:
    users, roles, sessions = "/admin/accounts/user/", "/admin/accounts/role/", "/admin/accounts/session/"
    failures, reports = "/admin/accounts/failedlogin/", "/admin/reports/report/"
    endpoints = "/admin/webhooks/endpoint/"
    on_endpoint = {"_selected_action": [world.endpoint.pk], "confirmed": "yes"}
    bob, session, report = world.bob, world.session, world.report
    on_bob = {"_selected_action": [bob.pk]}
    account = {"username": "bob", "email": "bob@example.org", "full_name": "Bob Baker", "is_active": "on"}
    view_report = Permission.objects.get(codename="view_report")
    can_view = "Reports | report | Can view report"
    was = {
        "username": "bob",
        "email": "bob@example.org",
        "full_name": "Bob Baker",
        "is_active": True,
        "is_staff": False,
        "is_superuser": False,
        "live_sessions": 1,
    }
    # What is personal goes with the account.
    flags = {name: value for name, value in was.items() if isinstance(value, bool | int)}
    gone = (
        "user.deleted",
        f"Deleted user {bob.pk}",
        Part({**flags, "email": "(erased)"}),
        Part({"erased_by": 1}),
    )
    root = User.objects.get(username="root")
    claimed = {"status": "in_progress", "assigned_to": f"root ({root.pk})"}
    insults = str(report)
    by_root = {"status": "resolved", "resolved_by": f"root ({root.pk})"}

    return {
        # --- accounts.user ---
        "accounts.user add": Done(
            f"{users}add/",
            {
                "username": "zoe",
                "email": "zoe@example.org",
                "password1": NEW_PASSWORD,
                "password2": NEW_PASSWORD,
                "is_superuser": "on",
            },
            [("user.added", "zoe", {}, Part({"username": "zoe", "is_superuser": True}))],
        ),
        "accounts.user change": Done(
            f"{users}{bob.pk}/change/",
            {**account, "full_name": "Robert", "groups": [world.role.pk], "bio": "Hello"},
            [
                (
                    "user.changed",
                    "bob",
                    {"full_name": "Bob Baker", "groups": [], "bio": None},
                    {"full_name": "Robert", "groups": ["helper"], "bio": "Hello"},
                )
            ],
        ),
        "accounts.user delete": Done(f"{users}{bob.pk}/delete/", {"post": "yes"}, [gone]),
        "accounts.user action delete_selected": Done(
            users,
            {**on_bob, "action": "delete_selected", "post": "yes"},
            [gone],
        ),
        "accounts.user auth_user_password_change": Done(
            f"{users}{bob.pk}/password/",
            {"password1": NEW_PASSWORD, "password2": NEW_PASSWORD, "usable_password": "true"},
            [
                (
                    "password.set",
                    "bob",
                    {"password": "(not shown)", "live_sessions": 1},
                    {"password": "(changed)", "live_sessions": 0},
                )
            ],
        ),
        "accounts.user action disable": Done(
            users,
            {**on_bob, "action": "disable", "confirmed": "yes"},
            [
                (
                    "user.disabled",
                    "bob",
                    {"is_active": True, "live_sessions": 1},
                    {"is_active": False, "live_sessions": 0},
                )
            ],
        ),
        "accounts.user action enable": Done(
            users, {**on_bob, "action": "enable"}, [("user.enabled", "bob", {}, {})]
        ),
        "accounts.user action grant_superuser": Done(
            users,
            {**on_bob, "action": "grant_superuser", "confirmed": "yes"},
            [
                (
                    "user.made_superuser",
                    "bob",
                    {"is_superuser": False, "is_staff": False},
                    {"is_superuser": True, "is_staff": True},
                )
            ],
        ),
        "accounts.user action withdraw_superuser": Done(
            users,
            {"_selected_action": [world.ruler.pk], "action": "withdraw_superuser", "confirmed": "yes"},
            [
                (
                    "user.demoted",
                    "ruler",
                    {"is_superuser": True, "is_staff": True},
                    {"is_superuser": False, "is_staff": False},
                )
            ],
        ),
        "accounts.user action end_sessions": Done(
            users,
            {**on_bob, "action": "end_sessions", "confirmed": "yes"},
            [("user.logged_out_everywhere", "bob", {"live_sessions": 1}, {"live_sessions": 0})],
        ),
        "accounts.user action give_role": Done(
            users,
            {**on_bob, "action": "give_role", "confirmed": "yes", "role": world.role.pk},
            [("user.role_given", "bob", {"groups": []}, {"groups": ["helper"]})],
        ),
        "accounts.user action unlock": Done(
            users,
            {"_selected_action": [world.locked_out.pk, bob.pk], "action": "unlock"},
            [("user.unlocked", "dave", {"locked_out_from": ["10.0.0.2"]}, {"locked_out_from": []})],
        ),
        "accounts.user accounts_user_unlock": Done(
            f"{users}{world.locked_out.pk}/unlock/",
            {"address": "10.0.0.2"},
            [("user.unlocked", "dave", {"locked_out_from": ["10.0.0.2"]}, {"locked_out_from": []})],
        ),
        "accounts.user accounts_user_remove-second-factor": Done(
            f"{users}{world.locked_out.pk}/remove-second-factor/",
            {},
            [("user.second_factor_removed", "dave", {"second_factor": True}, {"second_factor": False})],
        ),
        "accounts.user accounts_user_revoke-token": Done(
            f"{users}{bob.pk}/revoke-token/",
            {"token": world.token.pk},
            [("user.token_revoked", "bob", {"personal_tokens": 1}, {"personal_tokens": 0})],
        ),
        # --- accounts.invitation ---
        "accounts.invitation add": Done(
            "/admin/accounts/invitation/add/",
            {"email": "zoe@example.org", "max_uses": 1, "days": 7, "note": "Zoe", "role": world.role.pk},
            [
                (
                    "invitation.added",
                    f"invitation {world.invitation.pk + 1}",
                    {},
                    Part({"note": "Zoe", "email": "(not shown)", "max_uses": 1}),
                )
            ],
        ),
        "accounts.invitation action withdraw": Done(
            "/admin/accounts/invitation/",
            {"_selected_action": [world.invitation.pk], "action": "withdraw", "confirmed": "yes"},
            [
                (
                    "invitation.withdrawn",
                    f"invitation {world.invitation.pk}",
                    {"withdrawn_at": None},
                    Part({}),
                )
            ],
        ),
        "accounts.user accounts_user_withdraw-deletion": Done(
            f"{users}{world.leaver.pk}/withdraw-deletion/",
            {},
            [
                (
                    "user.deletion_withdrawn",
                    "leo",
                    {
                        "is_active": False,
                        "deletion_at": find_pending(world.leaver).deletion_at.isoformat(timespec="seconds"),
                    },
                    {"is_active": True, "deletion_at": None},
                )
            ],
        ),
        "accounts.user accounts_user_end-session": Done(
            f"{users}{bob.pk}/end-session/",
            {"session": session.pk},
            [("user.session_ended", "bob", {"live_sessions": 1}, {"live_sessions": 0})],
        ),
        "accounts.user accounts_user_end-sessions": Done(
            f"{users}{bob.pk}/end-sessions/",
            {},
            [("user.logged_out_everywhere", "bob", {"live_sessions": 1}, {"live_sessions": 0})],
        ),
        # --- accounts.role ---
        "accounts.role add": Done(
            f"{roles}add/",
            {"name": "clerk", "description": "Reads.", "permissions": [view_report.pk]},
            [("role.added", "clerk", {}, Part({"name": "clerk", "permissions": [can_view]}))],
        ),
        "accounts.role change": Done(
            f"{roles}{world.role.pk}/change/",
            {"name": "helper", "description": "Helps.", "permissions": [view_report.pk]},
            [("role.changed", "helper", {"permissions": []}, {"permissions": [can_view]})],
        ),
        "accounts.role delete": Done(
            f"{roles}{world.role.pk}/delete/",
            {"post": "yes"},
            [("role.deleted", "helper", Part({"name": "helper", "description": "Helps."}), {})],
        ),
        "accounts.role action delete_selected": Done(
            roles,
            {"_selected_action": [world.role.pk], "action": "delete_selected", "post": "yes"},
            [("role.deleted", "helper", Part({"name": "helper"}), {})],
        ),
        # --- accounts.session, accounts.failedlogin ---
        "accounts.session action end": Done(
            sessions,
            {"_selected_action": [session.pk], "action": "end", "confirmed": "yes"},
            [("session.ended", str(session), {"is_active": True}, {"is_active": False})],
        ),
        "accounts.failedlogin action forget": Done(
            failures,
            {"_selected_action": [world.failure.pk], "action": "forget"},
            [
                (
                    "failedlogin.deleted",
                    "bob from 10.0.0.1",
                    Part({"user": f"bob ({bob.pk})", "ip_address": "10.0.0.1"}),
                    {},
                )
            ],
        ),
        # --- reports.report ---
        "reports.report change": Done(
            f"{reports}{report.pk}/change/",
            {"status": "resolved", "comment": "Warned him."},
            [
                (
                    "report.changed",
                    insults,
                    {"status": "open", "comment": None, "resolved_by": None, "resolved_at": None},
                    Part({**by_root, "comment": "Warned him."}),
                )
            ],
        ),
        "reports.report delete": Done(
            f"{reports}{report.pk}/delete/",
            {"post": "yes"},
            [("report.deleted", insults, Part(title="Insults", status="open"), {})],
        ),
        "reports.report action delete_selected": Done(
            reports,
            {"_selected_action": [report.pk], "action": "delete_selected", "post": "yes"},
            [("report.deleted", insults, Part({"title": "Insults"}), {})],
        ),
        "reports.report action claim": Done(
            reports,
            {"_selected_action": [report.pk], "action": "claim", "confirmed": "yes"},
            [("report.claimed", insults, {"status": "open", "assigned_to": None}, claimed)],
        ),
        "reports.report action resolve": Done(
            reports,
            {"_selected_action": [report.pk], "action": "resolve", "confirmed": "yes", "comment": "Bot."},
            [("report.resolved", insults, Part({"status": "open"}), Part({**by_root, "comment": "Bot."}))],
        ),
        "reports.report reports_report_claim": Done(
            f"{reports}{report.pk}/claim/",
            {},
            [("report.claimed", insults, {"status": "open", "assigned_to": None}, claimed)],
        ),
        "reports.report reports_report_resolve": Done(
            f"{reports}{report.pk}/resolve/",
            {"comment": "Warned."},
            [
                (
                    "report.resolved",
                    insults,
                    Part({"comment": None}),
                    Part({**by_root, "comment": "Warned."}),
                )
            ],
        ),
        "reports.report reports_report_reopen": Done(
            f"{reports}{world.resolved.pk}/reopen/",
            {},
            [
                (
                    "report.reopened",
                    str(world.resolved),
                    Part(by_root),
                    Part({"status": "open", "resolved_by": None}),
                )
            ],
        ),
        "reports.report reports_report_disable-sender": Done(
            f"{reports}{report.pk}/disable-sender/",
            {},
            [
                ("report.sender_disabled", insults, {}, {}),
                (
                    "user.disabled",
                    "bob",
                    {"is_active": True, "live_sessions": 1},
                    {"is_active": False, "live_sessions": 0},
                ),
            ],
        ),
        "reports.report reports_report_end-sessions": Done(
            f"{reports}{report.pk}/end-sessions/",
            {},
            [
                ("report.sender_logged_out", insults, {}, {}),
                ("user.logged_out_everywhere", "bob", {"live_sessions": 1}, {"live_sessions": 0}),
            ],
        ),
        "reports.report reports_report_answer": Done(
            f"{reports}{world.asked.pk}/answer/",
            {"answer": WHISPER},
            [("report.answered", str(world.asked), {}, {})],
        ),
        "reports.report reports_report_next": Done(f"{reports}next/"),  # leads to a page, and does nothing
        # --- audit.entry ---
        "audit.entry audit_entry_export": Done(
            "/admin/audit/entry/export/", {"act": "x"}, [("audit.exported", "", {}, {"act": "x"})], "get"
        ),
        # --- what belongs to no model ---
        "site logout": Done("/admin/logout/", {}, [("admin.logout", "", {}, {})]),
        "site login": Done(
            "/admin/login/", {"username": "root", "password": PASSWORD}, [("admin.login", "", {}, {})]
        ),
        # --- webhooks ---
        "channels.sender change": Done(
            f"/admin/channels/sender/{world.number.pk}/change/",
            {"inbox_name": "bob"},
            [("sender.changed", "+15005550006", {"inbox": None}, {"inbox": f"bob ({world.bob.pk})"})],
        ),
        "channels.sender action resume": Done(
            "/admin/channels/sender/",
            {"action": "resume", "_selected_action": [world.number.pk], "confirmed": "yes"},
            [("number.resumed", "+15005550006", {}, {})],
        ),
        "channels.delivery action send_again": Done(
            "/admin/channels/delivery/",
            {"action": "send_again", "_selected_action": [world.part.pk], "confirmed": "yes"},
            [
                (
                    "delivery.sent_again",
                    str(world.part),
                    Part({"state": "failed"}),
                    Part({"state": "pending"}),
                )
            ],
        ),
        "webhooks.endpoint add": Done(
            f"{endpoints}add/",
            {"url": "https://c.example/hook", "description": "Our archive", "kinds": ["message.created"]},
            [
                (
                    "endpoint.added",
                    f"endpoint {world.silent.pk + 1}",
                    {},
                    Part({"url": "https://c.example/hook", "kinds": "['message.created']"}),
                )
            ],
        ),
        "webhooks.endpoint change": Done(
            f"{endpoints}{world.endpoint.pk}/change/",
            {"url": "https://a.example/other", "include_content": "on"},
            [
                (
                    "endpoint.changed",
                    str(world.endpoint),
                    {"url": "https://a.example/hook", "include_content": False},
                    {"url": "https://a.example/other", "include_content": True},
                )
            ],
        ),
        "webhooks.endpoint action enable": Done(
            endpoints,
            {"action": "enable", "_selected_action": [world.silent.pk], "confirmed": "yes"},
            [
                (
                    "endpoint.enabled",
                    str(world.silent),
                    Part({"is_enabled": False}),
                    Part({"is_enabled": True}),
                )
            ],
        ),
        "webhooks.endpoint action disable": Done(
            endpoints,
            {**on_endpoint, "action": "disable"},
            [
                (
                    "endpoint.disabled",
                    str(world.endpoint),
                    Part({"is_enabled": True}),
                    Part({"is_enabled": False}),
                )
            ],
        ),
        "webhooks.endpoint action rotate": Done(
            endpoints,
            {**on_endpoint, "action": "rotate"},
            [
                (
                    "endpoint.rotated",
                    str(world.endpoint),
                    Part({"secret_salt": "(not shown)"}),
                    Part({"secret_salt": "(changed)"}),
                )
            ],
        ),
        "webhooks.endpoint action test": Done(
            endpoints,
            {**on_endpoint, "action": "test"},
            [("endpoint.tested", str(world.endpoint), {}, {})],
        ),
        "webhooks.endpoint action replay_failed": Done(
            endpoints,
            {**on_endpoint, "action": "replay_failed", "since_0": "2020-01-01", "since_1": "00:00:00"},
            [("endpoint.replayed", str(world.endpoint), {}, {})],
        ),
        "webhooks.delivery action replay": Done(
            "/admin/webhooks/delivery/",
            {"action": "replay", "_selected_action": [world.delivery.pk], "confirmed": "yes"},
            [
                (
                    "delivery.replayed",
                    str(world.delivery),
                    Part({"status": "failed"}),
                    Part({"status": "pending"}),
                )
            ],
        ),
        # --- assistant.profile ---
        "assistant.profile change": Done(
            f"/admin/assistant/profile/{world.assistant.pk}/change/",
            {"prompt": "Be brief.", "disclosure": "A machine.", "tools": ["find_people"], "roles": []},
            [
                (
                    "profile.changed",
                    "assistant",
                    Part({"disclosure": DISCLOSURE, "tools_off": "[]"}),
                    Part({"prompt": "Be brief.", "disclosure": "A machine."}),
                )
            ],
        ),
        "assistant.profile action switch_off": Done(
            "/admin/assistant/profile/",
            {"action": "switch_off", "_selected_action": [world.assistant.pk], "confirmed": "yes"},
            [("profile.switched_off", "assistant", {"is_active": True}, {"is_active": False})],
        ),
        "assistant.profile action switch_on": Done(
            "/admin/assistant/profile/",
            {"action": "switch_on", "_selected_action": [world.switched_off.pk], "confirmed": "yes"},
            [("profile.switched_on", "second", {"is_active": False}, {"is_active": True})],
        ),
        # --- jobs.job ---
        "jobs.job action run_again": Done(
            "/admin/jobs/job/",
            {"action": "run_again", "_selected_action": [str(world.job.pk)], "confirmed": "1"},
            [("job.run_again", str(world.job), Part({"status": "FAILED"}), Part({"status": "READY"}))],
        ),
        # --- mail.mail ---
        "mail.mail action send_again": Done(
            "/admin/mail/mail/",
            {"action": "send_again", "_selected_action": [world.mail.pk], "confirmed": "1"},
            [("mail.send_again", str(world.mail), Part({"state": "failed"}), Part({"state": "waiting"}))],
        ),
        "site password_change": Done(
            "/admin/password_change/",
            {"old_password": PASSWORD, "new_password1": NEW_PASSWORD, "new_password2": NEW_PASSWORD},
            [("password.set", "root", {"password": "(not shown)"}, {"password": "(changed)"})],
        ),
    }


def offered() -> Iterator[str]:
    """All that a superuser may do in the admin, as a name each."""
    request = RequestFactory().get("/admin/")
    request.user = User(pk=1, is_superuser=True, is_staff=True, is_active=True)
    for model, page in admin.site._registry.items():
        label = model._meta.label_lower
        for view in ("add", "change", "delete"):
            if getattr(page, f"has_{view}_permission")(request):
                yield f"{label} {view}"
        for action in page.get_actions(request):
            yield f"{label} action {action}"
        plain = {f"{model._meta.app_label}_{model._meta.model_name}_{view}" for view in PLAIN_VIEWS}
        for pattern in page.get_urls():
            if getattr(pattern, "name", None) not in {None, *plain}:
                yield f"{label} {pattern.name}"
    # of Django's own these answer a POST, or change something
    reading = {"index", "password_change_done", "autocomplete", "jsi18n", "view_on_site", "app_list", None}
    for pattern in admin.site.get_urls():
        name = getattr(pattern, "name", None)
        if name not in reading:
            yield f"site {name}"


def fits(told: dict[str, Any], expected: dict[str, Any]) -> bool:
    if isinstance(expected, Part):
        return all(name in told and told[name] == value for name, value in expected.items())
    return told == expected


@pytest.mark.parametrize("name", sorted(offered()))
def test_every_act_leaves_its_row(desk: Client, superuser: User, world: World, name: str) -> None:
    done = scenarios(world).get(name)
    assert done is not None, f"{name!r} is new in the admin: list it here, with the row that it leaves"

    answer = getattr(desk, done.method)(done.url, done.data)

    assert answer.status_code in (200, 302)
    rows = list(Entry.objects.order_by("pk"))
    assert [(row.act, row.target_label) for row in rows] == [(act, label) for act, label, _, _ in done.rows]
    for row, (_, _, before, after) in zip(rows, done.rows, strict=True):
        assert (row.actor_id, row.actor_name) == (superuser.pk, "root")
        assert (row.address, row.request_id) == ("127.0.0.1", "req-1")
        assert fits(row.before, before), row.before
        assert fits(row.after, after), row.after
        assert row.sentence
    everything = str(list(Entry.objects.values()))
    for secret in (PASSWORD, NEW_PASSWORD, WHISPER, "f" * 64, User.objects.get(pk=superuser.pk).password):
        assert secret not in everything
    list(verify_chain(current_head()))


def test_nothing_is_listed_that_the_admin_does_not_offer(world: World) -> None:
    assert set(scenarios(world)) <= set(offered())


@pytest.mark.parametrize(
    "name", ["disable", "grant_superuser", "withdraw_superuser", "end_sessions", "give_role"]
)
def test_a_page_that_only_asks_leaves_no_row(desk: Client, world: World, name: str) -> None:
    done = scenarios(world)[f"accounts.user action {name}"]
    asked = {key: value for key, value in done.data.items() if key != "confirmed"}

    assert desk.post(done.url, asked).status_code == 200

    assert not Entry.objects.exists()


def test_the_guide_names_every_act(world: World) -> None:
    guide = (settings.BASE_DIR / "docs/moderation.md").read_text()
    table = guide[guide.index("| act |") :]
    named = set(re.findall(r"`(\w+\.\w+)`", table))

    assert {act for done in scenarios(world).values() for act, *_ in done.rows} <= named


def test_every_page_is_audited() -> None:
    for page in admin.site._registry.values():
        assert isinstance(page, AuditedAdmin)
