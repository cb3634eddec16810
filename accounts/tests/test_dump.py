"""Whoever reads a dump of the database finds nothing in it that opens an account."""

import pytest
from django.conf import settings as live
from django.db import connection
from django.test import Client
from pytest_django import Settings
from rest_framework.test import APIClient

from accounts.models import User
from accounts.tests.factors import Phone, login_token
from accounts.tests.mailbox import code_in, deliver, token_in
from conftest import ApiClient
from tests.assertions import ISSUER, ISSUER_KEY, sign_assertion
from tests.factories import PASSWORD

pytestmark = pytest.mark.django_db

PROOF = {"current_password": PASSWORD}


def dump() -> str:
    """Every row of every table."""
    rows = []
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT * FROM "{table}"')  # noqa: S608  names that the database gave
            rows += [f"{table}: {row}" for row in cursor.fetchall()]
    return "\n".join(rows)


def secrets_of_mails() -> dict[str, str]:
    found = {}
    for mail in deliver():
        found[f"token of {mail.subject}"] = token_in(mail)
        found[f"code of {mail.subject}"] = code_in(mail)
    return found


def invite(desk: Client, email: str) -> str:
    form = {"email": email, "max_uses": 1, "days": 7, "note": "", "role": ""}
    page = desk.post("/admin/accounts/invitation/add/", form, follow=True).content.decode()
    return page.partition("<code>")[2].partition("</code>")[0]


def test_nothing_in_it_opens_anything(
    client: APIClient, as_user: ApiClient, alice: User, superuser: User, bob: User, settings: Settings
) -> None:
    settings.ISSUER, settings.ISSUER_KEY = ISSUER, ISSUER_KEY
    desk = Client()
    desk.post("/admin/login/", {"username": "root", "password": PASSWORD})
    me = as_user(alice)
    secret = me.post("/auth/second-factor/totp", PROOF).json()["secret"]
    confirmed = me.post("/auth/second-factor/totp/confirm", {"code": Phone(secret).code()}).json()
    used, *recovery_codes = confirmed["recovery_codes"]
    client.post("/auth/password/reset", {"email": bob.email})
    client.post("/auth/email/resend", {"email": bob.email})
    bobs = as_user(bob)
    bobs.put("/auth/me/email", {**PROOF, "email": "bob@new.example"})
    token = bobs.post("/auth/tokens", {**PROOF, "name": "Backup", "scopes": ["profile:read"]}).json()["token"]
    assertion = sign_assertion(sub="4711")
    opened = client.post("/auth/exchange", {"assertion": assertion}).json()

    waiting = dump()
    mailed = secrets_of_mails()
    assert len(mailed) == 6
    proof = {**PROOF, "recovery_code": used}
    invitations = {"invitation": invite(desk, ""), "invitation by mail": invite(desk, "zoe@example.org")}
    ticket = me.post("/events/ticket").json()["ticket"]
    half = login_token(client)
    again = as_user(alice)
    assert again.post("/auth/me/delete", proof).status_code == 202
    undo = token_in(next(mail for mail in deliver() if "deleted" in mail.subject))
    secrets = {
        **mailed,
        "undo": undo,
        **invitations,
        **{f"recovery code {number}": code for number, code in enumerate([used, *recovery_codes])},
        "password": PASSWORD,
        "TOTP": secret,
        "personal token": token,
        "assertion": assertion,
        "access token": opened["access_token"],
        "refresh token": opened["refresh_token"],
        "ticket": ticket,
        "login token": half,
        "cookie": desk.cookies[live.SESSION_COOKIE_NAME].value,
    }
    assert all(len(text) > 7 for text in secrets.values())

    held = (waiting + dump()).upper()

    assert [name for name, text in secrets.items() if text.upper() in held] == []
    assert [name for name, text in secrets.items() if text.upper().replace("-", "") in held] == []
