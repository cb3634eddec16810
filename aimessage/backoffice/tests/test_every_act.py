"""Every act that the admin offers leaves its row: a page, an action or a button that is new fails here
until it is listed in acts.py with what the trail then says of it."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from django.contrib import admin
from django.test import Client, RequestFactory

from accounts.models import User
from aimessage.audit.chain import current_head, verify_chain
from aimessage.audit.models import Entry
from aimessage.backoffice.pages import AuditedAdmin
from aimessage.backoffice.tests.acts import ACTS, NEW_PASSWORD, Part
from aimessage.backoffice.tests.world import WHISPER, World
from tests.factories import PASSWORD

pytestmark = pytest.mark.django_db

PLAIN_VIEWS = {"changelist", "add", "history", "delete", "change"}


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
    assert name in ACTS, f"{name!r} is new in the admin: list it in acts.py, with the row that it leaves"
    done = ACTS[name].on(world)

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


def test_nothing_is_listed_that_the_admin_does_not_offer() -> None:
    assert set(ACTS) <= set(offered())


@pytest.mark.parametrize(
    "name", ["disable", "grant_superuser", "withdraw_superuser", "end_sessions", "give_role"]
)
def test_a_page_that_only_asks_leaves_no_row(desk: Client, world: World, name: str) -> None:
    done = ACTS[f"accounts.user action {name}"].on(world)
    asked = {key: value for key, value in done.data.items() if key != "confirmed"}

    assert desk.post(done.url, asked).status_code == 200

    assert not Entry.objects.exists()


def test_the_guide_names_every_act() -> None:
    guide = (settings.BASE_DIR / "docs/moderation.md").read_text()
    table = guide[guide.index("| act |") :]
    named = set(re.findall(r"`(\w+\.\w+)`", table))

    assert {act for done in ACTS.values() for act, *_ in done.rows} <= named


def test_every_page_is_audited() -> None:
    for page in admin.site._registry.values():
        assert isinstance(page, AuditedAdmin)
