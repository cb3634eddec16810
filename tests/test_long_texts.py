"""Whatever a client sends is bounded before it is processed, in the API and in the admin.

NFKC takes quadratic time where combining marks are out of order: 80 KB of U+0301 and U+0316 took 23 s.
"""

import unicodedata
from collections.abc import Iterator
from time import process_time
from typing import Any
from unittest.mock import patch

import pytest
from django.test import Client
from django.utils.http import urlencode
from rest_framework.test import APIClient

from accounts.models import User
from aimessage.db.text import NORMALIZED_AT_MOST
from aimessage.tests.asserts import assert_problem
from conftest import ApiClient
from tests.factories import PASSWORD, MessageFactory

#: In bytes of UTF-8.
SIZES = [80_000, 200_000]
#: Processor time that a test may take. Without bounds it would be minutes.
SECONDS = 2.0
#: The longest text that folding makes of NORMALIZED_AT_MOST characters.
LONGEST = 18 * NORMALIZED_AT_MOST

pytestmark = pytest.mark.django_db


def marks(size: int) -> str:
    return "\u0301\u0316" * (size // 4)


@pytest.fixture(autouse=True)
def _bounded() -> Iterator[None]:
    """Fails the test if it normalises a long text, or takes long."""
    normalize = unicodedata.normalize

    def watched(form: Any, text: str) -> str:
        assert len(text) <= LONGEST, f"{len(text)} characters are normalised"
        return normalize(form, text)

    started = process_time()
    with patch.object(unicodedata, "normalize", watched):
        yield
    assert process_time() - started < SECONDS


@pytest.mark.parametrize("size", SIZES)
def test_a_login_is_the_same_401(client: APIClient, alice: User, size: int) -> None:
    wrong = client.post("/auth/login", {"username": "alice", "password": "wrong-password"})

    for _ in range(6):
        answer = client.post("/auth/login", {"username": f"alice{marks(size)}", "password": PASSWORD})
        assert answer.status_code == wrong.status_code == 401
        assert answer.json() == wrong.json()


def test_a_name_too_long_to_be_anybodys_costs_the_hashes_of_a_wrong_password(
    client: APIClient, alice: User
) -> None:
    with patch("accounts.backends.User.check_password", autospec=True, return_value=False) as checked:
        client.post("/auth/login", {"username": "a" * 401, "password": PASSWORD})
        client.post("/auth/login", {"username": "alice", "password": PASSWORD})

    assert [call.args[1] for call in checked.call_args_list] == [PASSWORD, PASSWORD]


@pytest.mark.parametrize(
    ("username", "status"), [("e\u0301" * 100, 200), ("e\u0301" * 100 + "x", 401), ("\u00e9" * 401, 401)]
)
def test_a_name_of_100_characters_logs_in_however_it_is_composed(
    client: APIClient, username: str, status: int
) -> None:
    User.objects.create_user("\u00e9" * 100, "long@example.org", PASSWORD)

    answer = client.post("/auth/login", {"username": username, "password": PASSWORD})

    assert answer.status_code == status


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("field", ["username", "email", "password", "full_name", "phone_number"])
def test_a_registration_is_refused(client: APIClient, field: str, size: int) -> None:
    body = {"username": "dora", "email": "dora@example.org", "password": PASSWORD, field: marks(size)}

    answer = client.post("/auth/register", body)

    assert field in assert_problem(answer, 400)["errors"]
    assert not User.objects.exists()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("where", ["@example.org", "a@{}.org", "a@{}"])
def test_a_long_address_is_refused(client: APIClient, where: str, size: int) -> None:
    long = marks(size)
    email = where.format(long) if "{}" in where else long + where

    answer = client.post("/auth/register", {"username": "dora", "email": email, "password": PASSWORD})

    assert set(assert_problem(answer, 400)["errors"]) == {"email"}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("field", ["full_name", "phone_number", "bio"])
def test_a_profile_is_refused(as_user: ApiClient, alice: User, field: str, size: int) -> None:
    answer = as_user(alice).put("/auth/me", {field: marks(size)})

    assert set(assert_problem(answer, 400)["errors"]) == {field}


@pytest.mark.parametrize("size", SIZES)
def test_a_password_change_is_refused(as_user: ApiClient, alice: User, size: int) -> None:
    alices = as_user(alice)
    long, short = marks(size), "amber-kettle-77"

    wrong = alices.put("/auth/me/password", {"current_password": long, "new_password": short})
    new = alices.put("/auth/me/password", {"current_password": PASSWORD, "new_password": long})

    assert set(assert_problem(wrong, 400)["errors"]) == {"current_password"}
    assert set(assert_problem(new, 400)["errors"]) == {"new_password"}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("path", "name", "status"),
    [
        ("/auth/directory?", "search", 400),
        ("/auth/directory?search=bo&", "after", 200),
        ("/auth/people?", "ids", 400),
        ("/messages?", "search", 400),
        ("/messages?", "with_user", 400),
        ("/messages?", "conversation_id", 200),
        ("/messages?", "created_after", 400),
        ("/messages?", "unread_only", 400),
        ("/messages?", "before", 400),
        ("/reports?", "status", 400),
    ],
)
def test_a_query_is_answered(
    as_user: ApiClient, alice: User, path: str, name: str, status: int, size: int
) -> None:
    answer = as_user(alice).get(f"{path}{urlencode({name: marks(size)})}")

    assert answer.status_code == status


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("path", ["/auth/refresh", "/auth/logout"])
def test_a_refresh_token_is_refused(as_user: ApiClient, alice: User, path: str, size: int) -> None:
    answer = as_user(alice).post(path, {"refresh_token": "e30." * (size // 4)})

    assert answer.status_code == (401 if path == "/auth/refresh" else 200)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("header", ["HTTP_USER_AGENT", "HTTP_X_REQUEST_ID", "HTTP_IDEMPOTENCY_KEY"])
def test_a_header_is_cut_or_refused(
    client: APIClient, as_user: ApiClient, alice: User, bob: User, header: str, size: int
) -> None:
    """nginx lets 8 KB of each header through; no nginx is in front here."""
    login = client.post("/auth/login", {"username": "alice", "password": PASSWORD}, **{header: "\x1b" * size})
    body = {"recipient_id": bob.pk, "content": "Noon?"}
    sent = as_user(alice).post("/messages", body, **{header: "\x1b" * size})

    assert login.status_code == 200
    assert sent.status_code == (400 if header == "HTTP_IDEMPOTENCY_KEY" else 201)
    assert len(login.headers["X-Request-ID"]) <= 128
    assert alice.sessions.filter(device_info__isnull=False).count() == (header == "HTTP_USER_AGENT")


def test_the_longest_text_of_nothing_but_marks_is_kept_and_found(
    as_user: ApiClient, alice: User, bob: User
) -> None:
    content = ("\u0301\u0316" * 10_000)[:-5] + " noon"

    sent = as_user(alice).post("/messages", {"recipient_id": bob.pk, "content": content})
    MessageFactory(sender=alice, recipient=bob)
    found = as_user(bob).get("/messages?search=NOON")

    assert sent.status_code == 201
    assert [message["content"] for message in found.json()] == [content]


@pytest.mark.parametrize("size", SIZES)
def test_the_admins_login_is_the_same_form(superuser: User, size: int) -> None:
    def log_in(username: str) -> Any:
        return Client().post("/admin/login/", {"username": username, "password": PASSWORD})

    wrong, long = log_in("nobody"), log_in(f"alice{marks(size)}")

    assert (wrong.status_code, long.status_code) == (200, 200)
    shown = [list(answer.context["form"].non_field_errors()) for answer in (wrong, long)]
    assert shown[0]
    assert shown[0] == shown[1]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("words", [False, True])
@pytest.mark.parametrize(
    "path",
    [
        "accounts/user",
        "accounts/role",
        "accounts/session",
        "accounts/failedlogin",
        "audit/entry",
        "reports/report",
    ],
)
def test_the_admins_search_asks_for_less(
    browser_of: Any, superuser: User, path: str, words: bool, size: int
) -> None:
    text = "a1 " * (size // 3) if words else marks(size)

    answer = browser_of(superuser).get(f"/admin/{path}/?{urlencode({'q': text})}")

    assert answer.status_code == 200
    assert not answer.context["cl"].query
    assert [str(message) for message in answer.context["messages"]]


@pytest.mark.parametrize("size", [40_000, 80_000])
@pytest.mark.parametrize("field", ["username", "email", "password", "full_name", "phone_number"])
def test_the_admins_form_of_a_new_user_comes_back(
    browser_of: Any, superuser: User, field: str, size: int
) -> None:
    fields = {"username": "dora", "email": "dora@example.org", "password1": PASSWORD, "password2": PASSWORD}
    fields |= dict.fromkeys(["password1", "password2"] if field == "password" else [field], marks(size))

    answer = browser_of(superuser).post("/admin/accounts/user/add/", fields)

    assert answer.status_code == 200
    assert list(answer.context["adminform"].form.errors) == ["password2" if field == "password" else field]
    assert User.objects.count() == 1
