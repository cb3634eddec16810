"""Every act that the admin offers, and what the audit trail says of it afterwards.

Names in braces stand for what is in the `World`: `{bob.pk}`, or `{report}` for what the trail calls a report.
"""

from dataclasses import dataclass, field
from typing import Any

from aimessage.backoffice.tests.world import WHISPER, World
from assistant.models import DISCLOSURE
from tests.factories import PASSWORD

NEW_PASSWORD = "orange-anvil-77"
USERS, ROLES, SESSIONS = "/admin/accounts/user/", "/admin/accounts/role/", "/admin/accounts/session/"
FAILURES, REPORTS = "/admin/accounts/failedlogin/", "/admin/reports/report/"
ENDPOINTS = "/admin/webhooks/endpoint/"
CAN_VIEW = "Reports | report | Can view report"


class Part(dict[str, Any]):
    """Some of what a row tells."""


@dataclass
class Done:
    """A request, and the rows that it has to leave in the trail, in order: act, on whom, before, after."""

    url: str
    data: dict[str, Any] = field(default_factory=dict)
    rows: list[tuple[str, str, dict[str, Any], dict[str, Any]]] = field(default_factory=list)
    method: str = "post"

    def on(self, world: World) -> "Done":
        """The same, with what is in the world in the place of the names."""
        return Done(*(_filled(part, vars(world)) for part in (self.url, self.data, self.rows)), self.method)


def _filled(value: Any, named: dict[str, Any]) -> Any:
    match value:
        case str():
            return value.format(**named)
        case dict():
            return type(value)({name: _filled(one, named) for name, one in value.items()})
        case list() | tuple():
            return type(value)(_filled(one, named) for one in value)
    return value


def chosen(one: str, action: str, **more: str) -> dict[str, Any]:
    """What a list of the admin posts for an action on one of its rows."""
    return {"_selected_action": [f"{{{one}.pk}}"], "action": action, **more}


ACCOUNT = {"username": "bob", "email": "bob@example.org", "full_name": "Bob Baker", "is_active": "on"}
#: What is personal goes with the account.
GONE = (
    "user.deleted",
    "Deleted user {bob.pk}",
    Part(is_active=True, is_staff=False, is_superuser=False, live_sessions=1, email="(erased)"),
    Part(erased_by=1),
)
CLAIMED = {"status": "in_progress", "assigned_to": "root ({root.pk})"}
BY_ROOT = {"status": "resolved", "resolved_by": "root ({root.pk})"}

ACTS: dict[str, Done] = {
    # --- accounts.user ---
    "accounts.user add": Done(
        USERS + "add/",
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
        USERS + "{bob.pk}/change/",
        {**ACCOUNT, "full_name": "Robert", "groups": ["{role.pk}"], "bio": "Hello"},
        [
            (
                "user.changed",
                "bob",
                {"full_name": "Bob Baker", "groups": [], "bio": None},
                {"full_name": "Robert", "groups": ["helper"], "bio": "Hello"},
            )
        ],
    ),
    "accounts.user delete": Done(USERS + "{bob.pk}/delete/", {"post": "yes"}, [GONE]),
    "accounts.user action delete_selected": Done(USERS, chosen("bob", "delete_selected", post="yes"), [GONE]),
    "accounts.user auth_user_password_change": Done(
        USERS + "{bob.pk}/password/",
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
        USERS,
        chosen("bob", "disable", confirmed="yes"),
        [
            (
                "user.disabled",
                "bob",
                {"is_active": True, "live_sessions": 1},
                {"is_active": False, "live_sessions": 0},
            )
        ],
    ),
    "accounts.user action enable": Done(USERS, chosen("bob", "enable"), [("user.enabled", "bob", {}, {})]),
    "accounts.user action grant_superuser": Done(
        USERS,
        chosen("bob", "grant_superuser", confirmed="yes"),
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
        USERS,
        chosen("ruler", "withdraw_superuser", confirmed="yes"),
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
        USERS,
        chosen("bob", "end_sessions", confirmed="yes"),
        [("user.logged_out_everywhere", "bob", {"live_sessions": 1}, {"live_sessions": 0})],
    ),
    "accounts.user action give_role": Done(
        USERS,
        chosen("bob", "give_role", confirmed="yes", role="{role.pk}"),
        [("user.role_given", "bob", {"groups": []}, {"groups": ["helper"]})],
    ),
    "accounts.user action unlock": Done(
        USERS,
        {"_selected_action": ["{locked_out.pk}", "{bob.pk}"], "action": "unlock"},
        [("user.unlocked", "dave", {"locked_out_from": ["10.0.0.2"]}, {"locked_out_from": []})],
    ),
    "accounts.user accounts_user_unlock": Done(
        USERS + "{locked_out.pk}/unlock/",
        {"address": "10.0.0.2"},
        [("user.unlocked", "dave", {"locked_out_from": ["10.0.0.2"]}, {"locked_out_from": []})],
    ),
    "accounts.user accounts_user_remove-second-factor": Done(
        USERS + "{locked_out.pk}/remove-second-factor/",
        {},
        [("user.second_factor_removed", "dave", {"second_factor": True}, {"second_factor": False})],
    ),
    "accounts.user accounts_user_revoke-token": Done(
        USERS + "{bob.pk}/revoke-token/",
        {"token": "{token.pk}"},
        [("user.token_revoked", "bob", {"personal_tokens": 1}, {"personal_tokens": 0})],
    ),
    # --- accounts.invitation ---
    "accounts.invitation add": Done(
        "/admin/accounts/invitation/add/",
        {"email": "zoe@example.org", "max_uses": 1, "days": 7, "note": "Zoe", "role": "{role.pk}"},
        [
            (
                "invitation.added",
                "invitation {next_invitation}",
                {},
                Part({"note": "Zoe", "email": "(not shown)", "max_uses": 1}),
            )
        ],
    ),
    "accounts.invitation action withdraw": Done(
        "/admin/accounts/invitation/",
        chosen("invitation", "withdraw", confirmed="yes"),
        [("invitation.withdrawn", "invitation {invitation.pk}", {"withdrawn_at": None}, Part({}))],
    ),
    "accounts.user accounts_user_withdraw-deletion": Done(
        USERS + "{leaver.pk}/withdraw-deletion/",
        {},
        [
            (
                "user.deletion_withdrawn",
                "leo",
                {"is_active": False, "deletion_at": "{deletion_at}"},
                {"is_active": True, "deletion_at": None},
            )
        ],
    ),
    "accounts.user accounts_user_end-session": Done(
        USERS + "{bob.pk}/end-session/",
        {"session": "{session.pk}"},
        [("user.session_ended", "bob", {"live_sessions": 1}, {"live_sessions": 0})],
    ),
    "accounts.user accounts_user_end-sessions": Done(
        USERS + "{bob.pk}/end-sessions/",
        {},
        [("user.logged_out_everywhere", "bob", {"live_sessions": 1}, {"live_sessions": 0})],
    ),
    # --- accounts.role ---
    "accounts.role add": Done(
        ROLES + "add/",
        {"name": "clerk", "description": "Reads.", "permissions": ["{view_report.pk}"]},
        [("role.added", "clerk", {}, Part({"name": "clerk", "permissions": [CAN_VIEW]}))],
    ),
    "accounts.role change": Done(
        ROLES + "{role.pk}/change/",
        {"name": "helper", "description": "Helps.", "permissions": ["{view_report.pk}"]},
        [("role.changed", "helper", {"permissions": []}, {"permissions": [CAN_VIEW]})],
    ),
    "accounts.role delete": Done(
        ROLES + "{role.pk}/delete/",
        {"post": "yes"},
        [("role.deleted", "helper", Part({"name": "helper", "description": "Helps."}), {})],
    ),
    "accounts.role action delete_selected": Done(
        ROLES,
        chosen("role", "delete_selected", post="yes"),
        [("role.deleted", "helper", Part({"name": "helper"}), {})],
    ),
    # --- accounts.session, accounts.failedlogin ---
    "accounts.session action end": Done(
        SESSIONS,
        chosen("session", "end", confirmed="yes"),
        [("session.ended", "{session}", {"is_active": True}, {"is_active": False})],
    ),
    "accounts.failedlogin action forget": Done(
        FAILURES,
        chosen("failure", "forget"),
        [
            (
                "failedlogin.deleted",
                "bob from 10.0.0.1",
                Part({"user": "bob ({bob.pk})", "ip_address": "10.0.0.1"}),
                {},
            )
        ],
    ),
    # --- reports.report ---
    "reports.report change": Done(
        REPORTS + "{report.pk}/change/",
        {"status": "resolved", "comment": "Warned him."},
        [
            (
                "report.changed",
                "{report}",
                {"status": "open", "comment": None, "resolved_by": None, "resolved_at": None},
                Part({**BY_ROOT, "comment": "Warned him."}),
            )
        ],
    ),
    "reports.report delete": Done(
        REPORTS + "{report.pk}/delete/",
        {"post": "yes"},
        [("report.deleted", "{report}", Part(title="Insults", status="open"), {})],
    ),
    "reports.report action delete_selected": Done(
        REPORTS,
        chosen("report", "delete_selected", post="yes"),
        [("report.deleted", "{report}", Part({"title": "Insults"}), {})],
    ),
    "reports.report action claim": Done(
        REPORTS,
        chosen("report", "claim", confirmed="yes"),
        [("report.claimed", "{report}", {"status": "open", "assigned_to": None}, CLAIMED)],
    ),
    "reports.report action resolve": Done(
        REPORTS,
        chosen("report", "resolve", confirmed="yes", comment="Bot."),
        [("report.resolved", "{report}", Part({"status": "open"}), Part({**BY_ROOT, "comment": "Bot."}))],
    ),
    "reports.report reports_report_claim": Done(
        REPORTS + "{report.pk}/claim/",
        {},
        [("report.claimed", "{report}", {"status": "open", "assigned_to": None}, CLAIMED)],
    ),
    "reports.report reports_report_resolve": Done(
        REPORTS + "{report.pk}/resolve/",
        {"comment": "Warned."},
        [("report.resolved", "{report}", Part({"comment": None}), Part({**BY_ROOT, "comment": "Warned."}))],
    ),
    "reports.report reports_report_reopen": Done(
        REPORTS + "{resolved.pk}/reopen/",
        {},
        [("report.reopened", "{resolved}", Part(BY_ROOT), Part({"status": "open", "resolved_by": None}))],
    ),
    "reports.report reports_report_disable-sender": Done(
        REPORTS + "{report.pk}/disable-sender/",
        {},
        [
            ("report.sender_disabled", "{report}", {}, {}),
            (
                "user.disabled",
                "bob",
                {"is_active": True, "live_sessions": 1},
                {"is_active": False, "live_sessions": 0},
            ),
        ],
    ),
    "reports.report reports_report_end-sessions": Done(
        REPORTS + "{report.pk}/end-sessions/",
        {},
        [
            ("report.sender_logged_out", "{report}", {}, {}),
            ("user.logged_out_everywhere", "bob", {"live_sessions": 1}, {"live_sessions": 0}),
        ],
    ),
    "reports.report reports_report_answer": Done(
        REPORTS + "{asked.pk}/answer/", {"answer": WHISPER}, [("report.answered", "{asked}", {}, {})]
    ),
    "reports.report reports_report_next": Done(REPORTS + "next/"),  # leads to a page, and does nothing
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
        "/admin/channels/sender/{number.pk}/change/",
        {"inbox_name": "bob"},
        [("sender.changed", "+15005550006", {"inbox": None}, {"inbox": "bob ({bob.pk})"})],
    ),
    "channels.sender action resume": Done(
        "/admin/channels/sender/",
        chosen("number", "resume", confirmed="yes"),
        [("number.resumed", "+15005550006", {}, {})],
    ),
    "channels.delivery action send_again": Done(
        "/admin/channels/delivery/",
        chosen("part", "send_again", confirmed="yes"),
        [("delivery.sent_again", "{part}", Part({"state": "failed"}), Part({"state": "pending"}))],
    ),
    "webhooks.endpoint add": Done(
        ENDPOINTS + "add/",
        {"url": "https://c.example/hook", "description": "Our archive", "kinds": ["message.created"]},
        [
            (
                "endpoint.added",
                "endpoint {next_endpoint}",
                {},
                Part({"url": "https://c.example/hook", "kinds": "['message.created']"}),
            )
        ],
    ),
    "webhooks.endpoint change": Done(
        ENDPOINTS + "{endpoint.pk}/change/",
        {"url": "https://a.example/other", "include_content": "on"},
        [
            (
                "endpoint.changed",
                "{endpoint}",
                {"url": "https://a.example/hook", "include_content": False},
                {"url": "https://a.example/other", "include_content": True},
            )
        ],
    ),
    "webhooks.endpoint action enable": Done(
        ENDPOINTS,
        chosen("silent", "enable", confirmed="yes"),
        [("endpoint.enabled", "{silent}", Part({"is_enabled": False}), Part({"is_enabled": True}))],
    ),
    "webhooks.endpoint action disable": Done(
        ENDPOINTS,
        chosen("endpoint", "disable", confirmed="yes"),
        [("endpoint.disabled", "{endpoint}", Part({"is_enabled": True}), Part({"is_enabled": False}))],
    ),
    "webhooks.endpoint action rotate": Done(
        ENDPOINTS,
        chosen("endpoint", "rotate", confirmed="yes"),
        [
            (
                "endpoint.rotated",
                "{endpoint}",
                Part({"secret_salt": "(not shown)"}),
                Part({"secret_salt": "(changed)"}),
            )
        ],
    ),
    "webhooks.endpoint action test": Done(
        ENDPOINTS, chosen("endpoint", "test", confirmed="yes"), [("endpoint.tested", "{endpoint}", {}, {})]
    ),
    "webhooks.endpoint action replay_failed": Done(
        ENDPOINTS,
        chosen("endpoint", "replay_failed", confirmed="yes", since_0="2020-01-01", since_1="00:00:00"),
        [("endpoint.replayed", "{endpoint}", {}, {})],
    ),
    "webhooks.delivery action replay": Done(
        "/admin/webhooks/delivery/",
        chosen("delivery", "replay", confirmed="yes"),
        [("delivery.replayed", "{delivery}", Part({"status": "failed"}), Part({"status": "pending"}))],
    ),
    # --- assistant.profile ---
    "assistant.profile change": Done(
        "/admin/assistant/profile/{assistant.pk}/change/",
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
        chosen("assistant", "switch_off", confirmed="yes"),
        [("profile.switched_off", "assistant", {"is_active": True}, {"is_active": False})],
    ),
    "assistant.profile action switch_on": Done(
        "/admin/assistant/profile/",
        chosen("switched_off", "switch_on", confirmed="yes"),
        [("profile.switched_on", "second", {"is_active": False}, {"is_active": True})],
    ),
    # --- jobs.job ---
    "jobs.job action run_again": Done(
        "/admin/jobs/job/",
        chosen("job", "run_again", confirmed="1"),
        [("job.run_again", "{job}", Part({"status": "FAILED"}), Part({"status": "READY"}))],
    ),
    # --- mail.mail ---
    "mail.mail action send_again": Done(
        "/admin/mail/mail/",
        chosen("mail", "send_again", confirmed="1"),
        [("mail.send_again", "{mail}", Part({"state": "failed"}), Part({"state": "waiting"}))],
    ),
    "site password_change": Done(
        "/admin/password_change/",
        {"old_password": PASSWORD, "new_password1": NEW_PASSWORD, "new_password2": NEW_PASSWORD},
        [("password.set", "root", {"password": "(not shown)"}, {"password": "(changed)"})],
    ),
}
