"""Assertions that POST /auth/exchange refuses."""

import base64
import json
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from django.utils import timezone
from pytest_django import Settings
from rest_framework.test import APIClient

from accounts.tests.exchanging import assert_refused, exchange
from aimessage.issuer import IssuerKey
from aimessage.tests.asserts import assert_problem
from tests.assertions import ISSUER, SECRET, claims, sign_assertion

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("issuer_on")]


PRIVATE = {
    "RS256": rsa.generate_private_key(65537, 2048),
    "ES256": ec.generate_private_key(ec.SECP256R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate(),
}


def signed(payload: bytes, header: dict[str, Any] | None = None) -> str:
    """A token with whatever payload, that a library would not make."""
    parts = [json.dumps(header or {"alg": "HS256", "typ": "JWT"}).encode(), payload]
    text = b".".join(base64.urlsafe_b64encode(part).rstrip(b"=") for part in parts)
    algorithm = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256)
    signature = algorithm.sign(text, SECRET.encode())
    return (text + b"." + base64.urlsafe_b64encode(signature).rstrip(b"=")).decode()


@pytest.mark.parametrize(
    "changed",
    [
        {"iss": None},
        {"iss": "https://evil.example.org"},
        {"iss": [ISSUER]},
        {"iss": 7},
        {"iss": f"{ISSUER}/"},
        {"aud": None},
        {"aud": "other"},
        {"aud": []},
        {"aud": ["other", 7]},
        {"aud": {"aimessage": 1}},
        {"aud": ["aimessage", 7]},
        {"sub": None},
        {"sub": ""},
        {"sub": 4711},
        {"sub": ["4711"]},
        {"sub": "x" * 256},
        {"sub": "47\0"},
        {"sub": "47\ud800"},
        {"jti": None},
        {"jti": ""},
        {"jti": 7},
        {"jti": "x" * 256},
        {"jti": "\ud800"},
        {"username": 7},
        {"username": ["dora"]},
        {"username": "x" * 256},
        {"username": "do\0ra"},
        {"email": 7},
        {"email": {}},
        {"email": "dora"},
        {"email": f"{'x' * 250}@example.org"},
        {"full_name": True},
        {"full_name": "x" * 256},
        {"full_name": "\udfff"},
        {"email_verified": "true"},
        {"email_verified": 1},
        {"email_verified": []},
    ],
)
def test_claims_that_are_amiss_are_refused(client: APIClient, changed: dict[str, Any]) -> None:
    good = claims(email="dora@example.org")
    payload = {name: value for name, value in {**good, **changed}.items() if value is not None}

    assert_refused(client, signed(json.dumps(payload).encode()))


@pytest.mark.parametrize("name", ["username", "email", "full_name", "email_verified"])
def test_a_null_claim_is_of_a_wrong_type(client: APIClient, name: str) -> None:
    assert_refused(client, signed(json.dumps({**claims(), name: None}).encode()))


@pytest.mark.parametrize(
    ("iat", "exp"),
    [
        (-120, -61),  # expired
        (61, 120),  # of a clock that is too far ahead
        (0, 301),
        (-250, 51),
        (60, 0),
    ],
)
def test_times_that_are_amiss_are_refused(client: APIClient, time_machine: Any, iat: int, exp: int) -> None:
    time_machine.move_to(timezone.now().replace(microsecond=0), tick=False)
    now = int(timezone.now().timestamp())

    assert_refused(client, sign_assertion(iat=now + iat, exp=now + exp))


@pytest.mark.parametrize(("iat", "exp"), [(0, 300), (60, 360), (-300, 0), (-120, -59), (0, 0.5), (-0.5, 60)])
def test_a_minute_of_clock_difference_is_borne(
    client: APIClient, time_machine: Any, iat: float, exp: float
) -> None:
    time_machine.move_to(timezone.now().replace(microsecond=0), tick=False)
    now = int(timezone.now().timestamp())

    assert exchange(client, iat=now + iat, exp=now + exp).status_code == 200


@pytest.mark.parametrize("name", ["iat", "exp", "nbf"])
@pytest.mark.parametrize(
    "value",
    [
        *('"{now}"', "true", "null", "[]", "{}", "NaN", "Infinity", "-Infinity", "1e999", "-1e308", "-1"),
        *("9" * 400, "-" + "9" * 400, "9" * 5000, "{now}000", '"soon"'),
    ],
)
def test_a_time_that_is_no_number_of_seconds_is_refused(client: APIClient, name: str, value: str) -> None:
    now = int(timezone.now().timestamp())
    value = value.replace("{now}", str(now))
    if name == "nbf" and value in {f'"{now}"', "true", "-1", "-1e308", "-" + "9" * 400}:
        return  # not a claim that is asked for; these say that it is valid by now
    payload = json.dumps(claims(**{name: "@"})).replace('"@"', value)

    assert_refused(client, signed(payload.encode()))


@pytest.mark.parametrize("name", ["iss", "aud", "sub", "iat", "exp", "jti"])
def test_each_claim_is_required(client: APIClient, name: str) -> None:
    assert_refused(client, sign_assertion(**{name: None}))


@pytest.mark.parametrize(
    "assertion",
    ["", " ", "garbage", "a.b.c", "..", "é.é.é", "x" * 9000, "e30.e30.e30", "." * 100, "\u202e"],
)
def test_what_is_no_token_is_refused(client: APIClient, assertion: str) -> None:
    assert_refused(client, assertion)


@pytest.mark.parametrize(
    "payload", [b"", b"[]", b"7", b'"x"', b"null", b"[" * 4000, b"\xff", b"{", b'{"a":' * 800]
)
def test_a_payload_that_is_no_object_is_refused(client: APIClient, payload: bytes) -> None:
    assert_refused(client, signed(payload))


def test_a_token_without_a_signature_or_with_another_key_is_refused(client: APIClient) -> None:
    assert_refused(client, jwt.encode(claims(), "", algorithm="none"))
    assert_refused(client, jwt.encode(claims(), SECRET[::-1], algorithm="HS256"))
    assert_refused(client, sign_assertion()[:-4])
    assert_refused(client, sign_assertion() + ".x")
    for algorithm in ("HS384", "HS512"):
        assert_refused(client, jwt.encode(claims(), SECRET * 2, algorithm=algorithm))
        assert_refused(client, jwt.encode(claims(), SECRET, algorithm=algorithm))


@pytest.mark.parametrize("algorithm", PRIVATE)
def test_the_key_decides_the_algorithm(client: APIClient, settings: Settings, algorithm: str) -> None:
    public = PRIVATE[algorithm].public_key()
    settings.ISSUER_KEY = IssuerKey(algorithm, public)

    assert exchange(client, jwt.encode(claims(), PRIVATE[algorithm], algorithm=algorithm)).status_code == 200
    assert_refused(client, sign_assertion())
    assert_refused(client, jwt.encode(claims(), "", algorithm="none"))
    for other in PRIVATE.keys() - {algorithm}:
        assert_refused(client, jwt.encode(claims(), PRIVATE[other], algorithm=other))
    # Its own key, in another algorithm; and a header that lies about the algorithm.
    if algorithm == "RS256":
        for other in ("RS384", "PS256"):
            assert_refused(client, jwt.encode(claims(), PRIVATE[algorithm], algorithm=other))
    _, *rest = sign_assertion().split(".")
    lie = base64.urlsafe_b64encode(json.dumps({"alg": algorithm}).encode()).rstrip(b"=").decode()
    assert_refused(client, ".".join([lie, *rest]))


@pytest.mark.parametrize(("size", "status"), [(8192, 200), (8193, 401)])
def test_an_assertion_has_at_most_8_kib(client: APIClient, size: int, status: int) -> None:
    # Base64 has no text of every length; two of them together have.
    tokens = (
        signed(json.dumps(claims(more="x" * more)).encode(), {"alg": "HS256", "more": "y" * extra})
        for more in (5000, 5001, 5002)
        for extra in range(1400)
    )
    assertion = next(token for token in tokens if len(token) == size)

    assert exchange(client, assertion).status_code == status


@pytest.mark.parametrize("body", [{}, {"assertion": None}, {"assertion": 7}, {"assertion": ["x"]}])
def test_a_body_without_a_text_is_a_400(client: APIClient, body: dict[str, Any]) -> None:
    assert_problem(client.post("/auth/exchange", body), 400)
