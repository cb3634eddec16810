"""What a request body may be. Registering is the vehicle: it takes text and ignores the rest."""

import json
from io import BytesIO
from typing import Any

import pytest
from rest_framework.test import APIClient

from accounts.models import User
from aimessage.tests.asserts import assert_problem
from conftest import ApiClient

DAVE = {"username": "dave", "email": "dave@example.org", "password": "violet-tractor-42"}
LIMIT = 256 * 1024

pytestmark = pytest.mark.django_db


def post(
    client: APIClient, body: bytes, content_type: str = "application/json", path: str = "/auth/register"
) -> Any:
    client.raise_request_exception = False
    return client.generic("POST", path, body, content_type=content_type)


def with_unknown(raw: str) -> bytes:
    """A good body with one field more, of which the JSON is `raw`."""
    return f'{json.dumps(DAVE)[:-1]}, "unknown": {raw}}}'.encode()


def nested(depth: int, opening: str = "[", closing: str = "]") -> bytes:
    """A good body nested so deep: the object itself is the first level."""
    return with_unknown(opening * (depth - 1) + closing * (depth - 1))


@pytest.mark.parametrize(
    "body", [b"{", b"x", b'{"a": }', b"{'a': 1}", b'{"a": 1,}', b'{"a": 1} x', b"\xff\xfe", b" "]
)
def test_broken_json_is_refused(client: APIClient, body: bytes) -> None:
    assert_problem(post(client, body), 400)


@pytest.mark.parametrize(
    "body", [b"[]", b'[{"username": "dave"}]', b'"dave"', b"7", b"null", b"true", b"2.5"]
)
def test_anything_but_an_object_is_refused(client: APIClient, body: bytes) -> None:
    assert_problem(post(client, body), 400, "The request body must be a JSON object")


@pytest.mark.parametrize("constant", ["NaN", "Infinity", "-Infinity"])
def test_numbers_that_json_has_not_are_refused(client: APIClient, constant: str) -> None:
    assert_problem(post(client, with_unknown(constant)), 400)
    assert_problem(post(client, with_unknown(f'[{{"a": {constant}}}]')), 400)


@pytest.mark.parametrize("raw", ['"a\\u0000b"', '["\\u0000"]', '{"a\\u0000": 1}'])
def test_nul_is_refused_wherever_it_stands(client: APIClient, raw: str) -> None:
    assert_problem(post(client, with_unknown(raw)), 400, "NUL characters are not allowed in text")


@pytest.mark.parametrize("raw", ['"\\ud800"', '"\\udc00\\ud800"', '["a\\udfffb"]', '{"\\ud83d": 1}'])
def test_a_lone_surrogate_is_refused_wherever_it_stands(client: APIClient, raw: str) -> None:
    assert_problem(post(client, with_unknown(raw)), 400, "Lone surrogates are not allowed in text")


def test_a_pair_of_surrogates_is_one_character(client: APIClient) -> None:
    body = json.dumps({**DAVE, "full_name": "Dave \U0001f600"}).encode()
    assert b"\\ud83d\\ude00" in body

    assert post(client, body).status_code == 201
    assert User.objects.get().full_name == "Dave \U0001f600"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "latin-1"])
def test_another_encoding_than_utf8_is_refused(client: APIClient, encoding: str) -> None:
    body = json.dumps({**DAVE, "full_name": "Dav\u00e9"}, ensure_ascii=False).encode(encoding)

    assert_problem(post(client, body), 400, "The request body is not UTF-8")


def test_a_byte_order_mark_does_not_matter(client: APIClient) -> None:
    assert post(client, b"\xef\xbb\xbf" + json.dumps(DAVE).encode()).status_code == 201


@pytest.mark.parametrize(
    "content_type",
    ["application/json; charset=utf-8", "application/json; charset=latin-1", "APPLICATION/JSON"],
)
def test_json_is_utf8_whatever_the_charset_claims(client: APIClient, content_type: str) -> None:
    body = json.dumps({**DAVE, "full_name": "Dav\u00e9"}, ensure_ascii=False).encode()

    assert post(client, body, content_type).json()["full_name"] == "Dav\u00e9"


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/xml",
        "",
        "x",
    ],
)
def test_another_media_type_is_a_415(client: APIClient, content_type: str) -> None:
    assert_problem(post(client, json.dumps(DAVE).encode(), content_type), 415)
    assert not User.objects.exists()


@pytest.mark.parametrize("path", ["/auth/register", "/auth/logout-all", "/nope", "/"])
def test_a_body_over_256_kib_is_a_413(as_user: ApiClient, alice: User, path: str) -> None:
    answer = post(as_user(alice), b"x" * (LIMIT + 1), path=path)

    assert_problem(answer, 413, "The request body is over 256 KiB")


def test_a_body_of_256_kib_is_read(client: APIClient) -> None:
    filler = "x" * (LIMIT - len(with_unknown('""')))
    body = with_unknown(json.dumps(filler))
    assert len(body) == LIMIT

    assert post(client, body).status_code == 201


def test_nesting_ends_at_64_levels(client: APIClient) -> None:
    assert_problem(post(client, nested(65)), 400, "The request body is nested deeper than 64 levels")
    assert_problem(post(client, nested(65, '{"a":[', "]}")), 400)
    assert not User.objects.exists()
    assert post(client, nested(64)).status_code == 201


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}"), ("[", "")])
def test_nesting_without_end_is_refused(client: APIClient, opening: str, closing: str) -> None:
    count = 100_000 // len(opening)

    assert_problem(post(client, with_unknown(opening * count + "1" + closing * count)), 400)


@pytest.mark.parametrize("raw", ["1e999", "-1e999", "[1, {}, null, true]", "1" * 4000, "1.5e-400"])
def test_an_unknown_field_is_ignored_whatever_is_in_it(client: APIClient, raw: str) -> None:
    assert post(client, with_unknown(raw)).status_code == 201


def test_a_number_of_more_digits_than_python_reads_is_refused(client: APIClient) -> None:
    assert_problem(post(client, with_unknown("1" * 5000)), 400)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
def test_no_body_at_all_is_an_empty_object(as_user: ApiClient, alice: User, method: str) -> None:
    client = as_user(alice)
    path = "/auth/logout-all" if method == "POST" else "/auth/me"

    assert client.generic(method, path).status_code == 200


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"a": NaN}'])
def test_a_bad_body_is_refused_also_where_none_is_used(as_user: ApiClient, alice: User, body: bytes) -> None:
    client = as_user(alice)

    assert_problem(post(client, body, path="/auth/logout-all"), 400)
    assert client.get("/auth/me").status_code == 200


def test_a_body_that_breaks_off_is_refused(client: APIClient) -> None:
    class Broken(BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise OSError("connection reset")

    body = json.dumps(DAVE).encode()
    answer = client.generic(
        "POST", "/auth/register", body, content_type="application/json", **{"wsgi.input": Broken()}
    )

    assert_problem(answer, 400, "The request body broke off")


@pytest.mark.parametrize("length", ["x", "1e3", "0x10"])
def test_a_length_that_is_no_number_is_refused(client: APIClient, length: str) -> None:
    answer = client.post("/auth/register", DAVE, CONTENT_LENGTH=length)

    assert_problem(answer, 400, "Content-Length is not a number")


@pytest.mark.parametrize("query", ["search=a%00b", "%00=1"])
def test_nul_in_the_query_is_refused(as_user: ApiClient, alice: User, query: str) -> None:
    assert_problem(as_user(alice).get(f"/messages?{query}"), 400)


@pytest.mark.parametrize("value", [True, 2.7, "1", None, [1], {"a": 1}, "1e999", ""])
def test_an_id_that_is_no_integer_is_refused_and_never_rounded(
    as_user: ApiClient, alice: User, bob: User, value: Any
) -> None:
    raw = value if value == "1e999" else json.dumps(value)
    body = f'{{"recipient_id": {raw}, "content": "hi"}}'.encode()

    answer = post(as_user(alice), body, path="/messages")

    assert set(assert_problem(answer, 400)["errors"]) == {"recipient_id"}


@pytest.mark.parametrize("value", [0, -1, 987_654, 2**63, 10**30, -(10**30)])
def test_an_integer_that_is_no_id_is_unknown(as_user: ApiClient, alice: User, value: int) -> None:
    answer = as_user(alice).post("/messages", {"recipient_id": value, "content": "hi"})

    assert_problem(answer, 404, "Recipient not found")


def test_a_body_shorter_than_announced_is_refused_though_it_is_json(client: APIClient) -> None:
    body = json.dumps(DAVE).encode()
    answer = client.generic(
        "POST",
        "/auth/register",
        body,
        content_type="application/json",
        CONTENT_LENGTH=str(len(body) + 100),
        **{"wsgi.input": BytesIO(body)},
    )

    assert_problem(answer, 400, "The request body broke off")
    assert not User.objects.exists()
