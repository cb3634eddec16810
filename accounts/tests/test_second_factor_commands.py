from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from pytest_django import Settings
from rest_framework.test import APIClient

from accounts.models import SecondFactor, Session, User
from accounts.services.second_factor import begin_totp
from accounts.tests.factors import enrol, log_in
from aimessage.audit.models import Entry
from aimessage.seals import Unopened, seal, unseal
from operations.maintenance.sweeping import sweep_all
from tests.factories import SessionFactory

OLD, NEW = "an-old-key-of-more-than-thirty-two-chars", "a-new-key-of-more-than-thirty-two-letters"


def run(name: str, *arguments: str) -> str:
    out = StringIO()
    call_command(name, *arguments, stdout=out)
    return out.getvalue()


def test_the_first_key_seals_and_all_open(settings: Settings) -> None:
    settings.ENCRYPTION_KEYS = [OLD]
    sealed = seal("secret")
    assert "secret" not in sealed

    settings.ENCRYPTION_KEYS = [NEW, OLD]
    assert unseal(sealed) == "secret"
    fresh = seal("secret")
    settings.ENCRYPTION_KEYS = [NEW]
    assert unseal(fresh) == "secret"
    with pytest.raises(Unopened):
        unseal(sealed)
    for garbage in ("", "x", "é", fresh[:-2]):
        with pytest.raises(Unopened):
            unseal(garbage)


def test_after_reseal_the_old_key_can_go(client: APIClient, alice: User, settings: Settings) -> None:
    settings.ENCRYPTION_KEYS = [OLD]
    phone, codes = enrol(alice)
    settings.ENCRYPTION_KEYS = [NEW, OLD]

    assert "1 secrets resealed" in run("reseal")

    settings.ENCRYPTION_KEYS = [NEW]
    assert log_in(client, code=phone.code()).status_code == 200
    assert log_in(client, recovery_code=codes[0]).status_code == 200


def test_reseal_leaves_what_no_key_opens(alice: User, bob: User, settings: Settings) -> None:
    settings.ENCRYPTION_KEYS = [OLD]
    enrol(alice)
    settings.ENCRYPTION_KEYS = [NEW]
    enrol(bob)
    before = SecondFactor.objects.get(user=alice).secret

    with pytest.raises(CommandError, match="No key opens 1 secrets"):
        run("reseal")

    assert SecondFactor.objects.get(user=alice).secret == before


def test_a_lost_second_factor_is_removed(
    client: APIClient, superuser: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Any] = []
    monkeypatch.setattr(
        "accounts.services.second_factor.notify", lambda user, kind, **more: told.append((user, kind))
    )
    enrol(superuser)
    SessionFactory(user=superuser)

    assert "is off." in run("remove_second_factor", "ROOT")

    assert log_in(client, "root").status_code == 200
    assert not Session.objects.live().exclude(ip_address="127.0.0.1").exists()
    entry = Entry.objects.get()
    assert (entry.act, entry.target_id) == ("user.second_factor_removed", str(superuser.pk))
    assert (entry.actor_id, entry.actor_name) == (None, "manage.py remove_second_factor")
    assert told[-1] == (superuser, "second_factor_off")


def test_there_may_be_nothing_to_remove(alice: User) -> None:
    begin_totp(alice)

    assert "off already" in run("remove_second_factor", "alice")
    assert not Entry.objects.exists()
    with pytest.raises(CommandError, match="no such user"):
        run("remove_second_factor", "nobody")


def test_the_sweep_takes_what_no_login_needs(
    client: APIClient, alice: User, bob: User, carol: User, time_machine: Any
) -> None:
    time_machine.move_to(timezone.now())
    phone, _ = enrol(alice)
    log_in(client)
    log_in(client, code=phone.wrong())
    begin_totp(bob)
    time_machine.shift(2 * 3600)
    begin_totp(carol)

    swept = dict(sweep_all())

    assert swept["half-finished logins"] == 1
    assert swept["wrong codes"] == 1
    assert swept["unconfirmed second factors"] == 1
    assert set(SecondFactor.objects.values_list("user__username", flat=True)) == {"alice", "carol"}
