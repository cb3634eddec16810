"""What a release with django-axes left in the database."""

from collections.abc import Iterator
from datetime import timedelta
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.guesses import digest_of, lockouts_of
from accounts.models import FailedLogin, User
from accounts.tests.test_lockout import log_in
from tests.factories import PASSWORD

pytestmark = pytest.mark.django_db(transaction=True)

migration: Any = import_module("accounts.migrations.0005_leave_axes")
Old = migration.AccessFailureLog


def leave() -> None:
    migration.take_over(apps, SimpleNamespace(connection=connection))


@pytest.fixture
def old_table(transactional_db: None) -> Iterator[None]:
    with connection.schema_editor() as editor:
        editor.create_model(Old)
    yield
    with connection.schema_editor() as editor:
        editor.delete_model(Old)


def old_failure(**row: Any) -> None:
    common = {
        "ip_address": "192.0.2.7",
        "user_agent": "curl",
        "path_info": "/auth/login",
        "locked_out": False,
    }
    Old.objects.create(**{"attempt_time": timezone.now(), "locked_out": False, **common, **row})


def test_failures_are_taken_over_and_a_lockout_goes_on(
    old_table: None, client: APIClient, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migration, "BATCH", 3)
    for n in range(5):
        old_failure(username="alice", locked_out=n == 4)
    old_failure(username="typed-secret-9", ip_address="::ffff:192.0.2.8")
    old_failure(username=None, ip_address=None)
    old_failure(username="alice", attempt_time=timezone.now() - timedelta(days=31))

    leave()

    assert not Old.objects.exists()
    rows = list(FailedLogin.objects.order_by("pk"))
    assert [row.user for row in rows] == [alice] * 5 + [None] * 2
    assert [row.locked_out for row in rows] == [False] * 4 + [True] + [False] * 2
    assert (rows[0].user_agent, rows[0].path_info) == ("curl", "/auth/login")
    assert (rows[5].name_digest, rows[5].client) == (digest_of("typed-secret-9"), "192.0.2.8")
    assert (rows[6].client, rows[6].ip_address) == ("", None)
    assert "typed-secret-9" not in str(list(FailedLogin.objects.values()))
    assert [lockout.client for lockout in lockouts_of(alice)] == ["192.0.2.7"]
    assert log_in(client, password=PASSWORD).status_code == 429


def test_what_nobody_uses_any_more_goes(old_table: None) -> None:
    kind = ContentType.objects.create(app_label="axes", model="accesslog")
    Permission.objects.create(content_type=kind, codename="view_accesslog", name="x")
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO django_migrations (app, name, applied) VALUES ('axes', '0001_initial', %s)",
            [timezone.now()],
        )

    leave()
    leave()

    assert not ContentType.objects.filter(app_label="axes").exists()
    assert not Permission.objects.filter(codename="view_accesslog").exists()
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM django_migrations WHERE app = 'axes'")
        assert cursor.fetchone() == (0,)


def test_a_database_that_never_had_it_stays_as_it_is(alice: User) -> None:
    leave()

    assert not FailedLogin.objects.exists()
