"""Every error has one shape, wherever it arises."""

import logging
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.core.exceptions import ValidationError as DjangoValidationError
from django.db import DatabaseError, IntegrityError, InterfaceError, OperationalError
from django.http import Http404
from django.test import Client
from rest_framework.serializers import ValidationError
from rest_framework.test import APIClient

from accounts.models import User
from aimessage.api.problems import Unprocessable, flatten_errors, headline
from aimessage.tests.asserts import assert_problem
from conftest import ApiClient

pytestmark = pytest.mark.django_db

DAVE = {"username": "dave", "email": "dave@example.org", "password": "violet-tractor-42"}


@pytest.fixture
def post(client: APIClient, monkeypatch: pytest.MonkeyPatch) -> Any:
    """`post(error)` is the answer of an endpoint within which `error` arises."""

    def register(error: Exception) -> Any:
        def fail(**fields: Any) -> None:
            raise error

        monkeypatch.setattr("accounts.views.account.register_user", fail)
        client.raise_request_exception = False
        return client.post("/auth/register", DAVE)

    return register


@pytest.mark.parametrize(
    "error",
    [RuntimeError("inside-7"), KeyError("inside-7"), RecursionError("inside-7"), MemoryError("inside-7")],
)
def test_a_500_tells_nothing_of_the_inside(
    post: Any, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    logging.getLogger("django").propagate = True  # so that caplog sees it
    try:
        answer = post(error)
    finally:
        logging.getLogger("django").propagate = False

    assert_problem(answer, 500, "Internal server error")
    assert "inside" not in answer.content.decode() + str(answer.headers)
    assert "inside-7" in caplog.text


@pytest.mark.parametrize("error", [OperationalError("inside-7"), InterfaceError("inside-7")])
def test_a_database_that_does_not_answer_is_a_503(post: Any, error: Exception) -> None:
    answer = post(error)

    assert_problem(answer, 503, "The database does not answer, try again soon")
    assert answer.headers["Retry-After"] == "5"


ROW_IS_GONE = DatabaseError("Save with update_fields did not affect any rows.")  # Django's own words


@pytest.mark.parametrize("error", [IntegrityError("inside-7"), ROW_IS_GONE])
def test_a_write_that_the_database_refuses_is_a_409(post: Any, error: Exception) -> None:
    assert_problem(post(error), 409, "The data changed meanwhile, try again")


@pytest.mark.undescribed
@pytest.mark.parametrize(
    ("error", "status", "detail"),
    [
        (Http404("inside-7"), 404, "Not found"),
        (PermissionDenied("inside-7"), 403, "You do not have permission to perform this action"),
        (Unprocessable("Not like this"), 422, "Not like this"),
        (SuspiciousOperation("inside-7"), 400, "Bad request"),
        (DjangoValidationError("Not like this"), 400, "Not like this"),
        (DjangoValidationError({"bio": "Not like this"}), 400, "bio: Not like this"),
        (ValidationError("Not like this"), 400, "Not like this"),
    ],
)
def test_what_frameworks_raise_is_translated(post: Any, error: Exception, status: int, detail: str) -> None:
    assert_problem(post(error), status, detail)


@pytest.mark.parametrize(
    "path", ["/nope", "/auth", "/auth/me/nope", "/static/nope.js", "/auth/users", "/\u00e9", "/%ff"]
)
def test_an_unknown_path_is_a_404_also_outside_the_api(client: APIClient, path: str) -> None:
    assert_problem(client.get(path), 404, "Not found")


@pytest.mark.parametrize(
    "path",
    [
        "/auth/users",
        "/auth/users/1",
        "/auth/roles",
        "/reports/admin/all",
        "/reports/1/comment",
        "/reports/1/resolve",
    ],
)
@pytest.mark.parametrize("method", ["get", "post", "put", "delete"])
def test_what_the_admin_does_is_not_routed(
    as_user: ApiClient, superuser: User, method: str, path: str
) -> None:
    assert_problem(getattr(as_user(superuser), method)(path), 404)


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/"), ("DELETE", "/health"), ("OPTIONS", "/db-test"), ("TRACE", "/health"), ("FOO", "/health")],
)
def test_an_unknown_method_is_a_405_that_names_the_known(client: APIClient, method: str, path: str) -> None:
    answer = client.generic(method, path)

    assert_problem(answer, 405, f'Method "{method}" not allowed.')
    assert "GET" in answer.headers["Allow"]


@pytest.mark.parametrize("path", ["/chat", "/docs", "/redoc"])
def test_the_pages_answer_errors_in_the_same_shape(client: APIClient, path: str) -> None:
    assert_problem(client.post(path, {}), 405)
    assert_problem(client.get(path, HTTP_ACCEPT="image/png"), 406)


def test_an_answer_in_another_form_is_a_406(client: APIClient) -> None:
    assert_problem(client.get("/health", HTTP_ACCEPT="application/xml"), 406)


def test_the_admin_answers_a_browser_with_a_page(superuser: User) -> None:
    browser = Client()
    browser.force_login(superuser, backend="accounts.backends.AccountBackend")

    answer = browser.get("/admin/nope/", HTTP_ACCEPT="text/html")

    assert answer.status_code == 404
    assert answer.headers["Content-Type"].startswith("text/html")


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [("text/html", "text/html"), ("application/json", "application/problem+json")],
)
def test_a_form_without_its_token_is_refused(accept: str, media_type: str) -> None:
    browser = Client(enforce_csrf_checks=True)

    answer = browser.post("/admin/login/", {"username": "root"}, HTTP_ACCEPT=accept)

    assert answer.status_code == 403
    assert answer.headers["Content-Type"].partition(";")[0] == media_type


def test_errors_of_any_depth_become_an_object_of_lists() -> None:
    assert flatten_errors(["a", ["b"]]) == {"non_field_errors": ["a", "b"]}
    assert flatten_errors("a") == {"non_field_errors": ["a"]}
    assert flatten_errors({"x": {"0": ["a"], "1": {"y": ["b"]}}, "z": "c"}) == {"x": ["a", "b"], "z": ["c"]}


@pytest.mark.parametrize(
    ("errors", "says"),
    [
        ({"email": ["Email already registered"]}, "Email already registered"),
        ({"phone_number": ["This phone number is too long."]}, "This phone number is too long."),
        ({"title": ["This field is required."], "a": ["b"]}, "title: This field is required."),
        ({"non_field_errors": ["Broken."]}, "Broken."),
        ({"x": []}, "x: Invalid input."),
    ],
)
def test_the_headline_names_the_field_where_the_message_does_not(
    errors: dict[str, list[str]], says: str
) -> None:
    assert headline(errors) == says
