"""Every form, action and address of the admin, with every field missing, empty, too long, of the wrong kind:
the answer is the form, a message or a 4xx, and never a 5xx.

What there is to walk is what the audit's walk knows (aimessage/backoffice/tests/test_every_act.py), which
misses nothing.
"""

import re
from collections.abc import Iterator
from itertools import product
from typing import Any
from urllib.parse import quote

import pytest
from django.contrib import admin
from django.db import transaction
from django.test import Client
from django.urls import URLPattern, URLResolver

from accounts.models import User
from aimessage.backoffice.tests.acts import ACTS, Done
from aimessage.backoffice.tests.test_every_act import offered
from aimessage.backoffice.tests.world import World, world  # noqa: F401  a fixture
from tests.routes import share

pytestmark = pytest.mark.django_db

FORM = "application/x-www-form-urlencoded"
#: As they stand in a form that is sent, since several of them cannot be made of text.
VALUES = ["", "x", "9" * 30, "2026-02-30", "%E3%85%A4", "a%00b", "%ED%A0%80%FF", "x" * 300]
#: For what is one field among many.
FEW = ["x", "9" * 30 + "%00"]
LONG = ["%CC%81%CC%96" * 200, "x" * 30_000, "%2B" + "9" * 40, "%F0%9F%98%80" * 90]
#: Sent with every form, whatever it knows of them.
EXTRA = [
    *("action", "index", "select_across", "_selected_action", "post", "confirmed", "seen", "next"),
    *("_save", "_continue", "_addanother", "_saveasnew", "_popup", "_to_field", "_next"),
    *("form-TOTAL_FORMS", "form-INITIAL_FORMS"),
]
#: What Django reads from the address of any list, beside its filters and its search.
OF_EVERY_LIST = ["p", "o", "e", "all", "_popup", "_to_field", "_facets"]
IDS = [
    *("0", "-1", "x", "9223372036854775807", "9223372036854775808", "9" * 60, "%00", "%FF", "%ED%A0%80"),
    *("_00", "_ZZ", "1%0A", "%C2%B2", "1%20OR%201=1"),
]
METHODS = ["get", "post", "head", "put", "patch", "delete", "options"]
#: What a page of one object may be sent in its address.
IN_ADDRESSES = ["_changelist_filters", "_popup", "_to_field", "username", "groups", "permissions", "p"]


@pytest.fixture
def browser(superuser: User) -> Client:
    browser = Client(raise_request_exception=False)
    browser.force_login(superuser, backend="accounts.backends.AccountBackend")
    return browser


def tried(browser: Client, method: str, url: str, body: str = "") -> int:
    """The status of an answer, whose effects are undone."""
    with transaction.atomic():
        answer: Any = browser.generic(method.upper(), url, body, content_type=FORM)
        if answer.streaming:
            list(answer.streaming_content)
        transaction.set_rollback(True)
    return int(answer.status_code)


def fields_of(browser: Client, done: Done) -> dict[str, list[str]]:
    """What the form is sent, by name: what the walk knows, and what the page itself would send."""
    sent = {name: value if isinstance(value, list) else [value] for name, value in done.data.items()}
    answer: Any = browser.get(done.url)
    if answer.status_code == 200 and not answer.streaming:
        for name in re.findall(r'<(?:input|select|textarea)[^>]* name="([^"]+)"', answer.content.decode()):
            sent.setdefault(name, [])
    return {name: [quote(str(value)) for value in values] for name, values in sent.items()}


def bodies(page: str, fields: dict[str, list[str]]) -> Iterator[str]:
    """The form with each of its fields in every bad way, and with all of them in each way at once."""

    def written(changed: dict[str, list[str]]) -> str:
        every = {**fields, **changed}
        return "&".join(f"{quote(name)}={value}" for name, values in every.items() for value in values)

    own = [name for name in fields if not name.startswith("initial-") and name not in EXTRA]
    yield ""
    for name in own:
        yield written({name: []})
        yield written({name: [*fields[name], "x", "1"]})
        for value in VALUES:
            yield written({name: [value]})
    for name, value in product([name for name in fields if name not in own], FEW):
        yield written({name: [value]})
    # What the form does not have is the same code of Django's on all pages.
    for name, value in share(page, list(product(EXTRA, FEW)), of=4):
        if name not in fields:
            yield written({name: [value]})
    for value in [*VALUES, *LONG]:
        yield written({name: [value] for name in fields if name not in EXTRA})
    for value in share(page, [*VALUES, *LONG], of=4):
        yield written({name: [value] for name in [*fields, *EXTRA]})


@pytest.mark.parametrize("name", sorted(offered()))
def test_no_form_answers_with_a_5xx(browser: Client, world: World, name: str) -> None:  # noqa: F811
    done = ACTS[name].on(world)
    if done.method == "get":
        return
    forms = bodies(name, fields_of(browser, done))
    answers = [(body[:300], tried(browser, "post", done.url, body)) for body in forms]

    assert [answer for answer in answers if answer[1] >= 500] == []


def addresses() -> Iterator[str]:
    """Every pattern of the admin, with {} for each of its arguments."""

    def walk(patterns: list[Any], prefix: str) -> Iterator[str]:
        for pattern in patterns:
            path = prefix + re.sub(r"<[^>]*>", "{}", str(pattern.pattern))
            if isinstance(pattern, URLResolver):
                yield from walk(pattern.url_patterns, path)
            elif isinstance(pattern, URLPattern) and not str(pattern.pattern).startswith(("^", "(?P")):
                yield path

    yield from walk(admin.site.get_urls(), "/admin/")


def test_no_address_answers_with_a_5xx(browser: Client, world: World) -> None:  # noqa: F811
    bad = []
    for address in sorted(set(addresses())):
        for value in [*IDS, str(world.bob.pk)] if "{}" in address else [""]:
            url = address.replace("{}", value)
            methods = METHODS if value in ("", "x", str(world.bob.pk)) else ["get"]
            bad += [(method, url) for method in methods if tried(browser, method, url) >= 500]

    assert bad == []


@pytest.mark.parametrize("model", sorted(admin.site._registry, key=str), ids=str)
def test_no_look_up_answers_with_a_5xx(browser: Client, world: World, model: Any) -> None:  # noqa: F811
    page: Any = admin.site.get_model_admin(model)
    url = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
    request: Any = browser.get(url).wsgi_request
    values = [*VALUES, LONG[0]]
    queries = [f"{name}={value}" for name in sorted({*page._offered(request), "q"}) for value in values]
    queries += [f"{name}={value}" for name, value in share(url, list(product(OF_EVERY_LIST, values)), of=4)]
    year = "created_at__year=2026&created_at__month="
    queries += [f"{year}13", f"{year}2&created_at__day=30", f"{year}x", f"{year}-1"]
    tries = [f"{url}?{query}" for query in queries]
    for view in ("add/", f"{world.bob.pk}/change/", f"{world.bob.pk}/history/"):
        tries += [f"{url}{view}?{name}={value}" for name in IN_ADDRESSES for value in FEW]

    assert [address for address in tries if tried(browser, "get", address) >= 500] == []
