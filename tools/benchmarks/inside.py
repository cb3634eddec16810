"""Runs in a checkout of the application, with its Python, and prints as JSON:

tokens 1 9      an access token for each of the users 1 to 9
cookie USER     a session cookie for the admin
admin           the URL of every list in the admin, by name
"""

import json
import os
import sys
from collections.abc import Callable

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "aimessage.settings")
django.setup()


def tokens(first: str, last: str) -> dict[str, str]:
    from accounts.models import Session
    from accounts.tokens import issue_pair

    sessions = Session.objects.select_related("user").filter(device_info="Benchmark")
    sessions = sessions.filter(user__gte=int(first), user__lte=int(last))
    return {str(session.user_id): issue_pair(session).access_token for session in sessions}


def cookie(user: str) -> dict[str, str]:
    from importlib import import_module

    from django.conf import settings
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY, get_user_model

    account = get_user_model().objects.get(pk=user)
    session = import_module(settings.SESSION_ENGINE).SessionStore()
    session[SESSION_KEY] = str(account.pk)
    session[BACKEND_SESSION_KEY] = "accounts.backends.AccountBackend"
    session[HASH_SESSION_KEY] = account.get_session_auth_hash()
    session.save()
    return {settings.SESSION_COOKIE_NAME: session.session_key}


def admin() -> dict[str, str]:
    from django.contrib import admin
    from django.urls import reverse

    lists = {}
    for model in admin.site._registry:
        label = f"{model._meta.app_label}_{model._meta.model_name}"
        lists[label] = reverse(f"admin:{label}_changelist")
    return lists


if __name__ == "__main__":
    questions: dict[str, Callable[..., dict[str, str]]] = {"tokens": tokens, "cookie": cookie, "admin": admin}
    print(json.dumps(questions[sys.argv[1]](*sys.argv[2:])))
