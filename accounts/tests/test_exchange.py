"""POST /auth/exchange: users of the operator's own backend."""

import base64
import json
from datetime import timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from django.utils import timezone
from pytest_django import Settings
from rest_framework.test import APIClient

from accounts.models import ExternalIdentity, Session, UsedAssertion, User
from accounts.services import exchange as service
from accounts.services.exchange import sweep
from accounts.services.leaving import request_deletion
from accounts.services.users import disable_user
from accounts.tests.factors import enrol
from aimessage.issuer import IssuerKey
from aimessage.mail.models import Mail
from aimessage.tests.asserts import assert_problem
from conftest import ApiClient
from tests.assertions import ISSUER, ISSUER_KEY, SECRET, claims, sign_assertion
from tests.factories import UserFactory

pytestmark = pytest.mark.django_db

PRIVATE = {
    "RS256": rsa.generate_private_key(65537, 2048),
    "ES256": ec.generate_private_key(ec.SECP256R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate(),
}


@pytest.fixture(autouse=True)
def _issuer(settings: Settings) -> None:
    settings.ISSUER, settings.ISSUER_KEY = ISSUER, ISSUER_KEY


def signed(payload: bytes, header: dict[str, Any] | None = None) -> str:
    """A token with whatever payload, that a library would not make."""
    parts = [json.dumps(header or {"alg": "HS256", "typ": "JWT"}).encode(), payload]
    text = b".".join(base64.urlsafe_b64encode(part).rstrip(b"=") for part in parts)
    algorithm = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256)
    signature = algorithm.sign(text, SECRET.encode())
    return (text + b"." + base64.urlsafe_b64encode(signature).rstrip(b"=")).decode()


def exchange(client: APIClient, assertion: Any = None, **changed: Any) -> Any:
    return client.post("/auth/exchange", {"assertion": assertion or sign_assertion(**changed)})


def assert_refused(client: APIClient, assertion: Any) -> None:
    before = User.objects.count(), Session.objects.count(), UsedAssertion.objects.count()
    answer = client.post("/auth/exchange", {"assertion": assertion})

    assert_problem(answer, 401, "Assertion is invalid or expired")
    assert answer.json()["code"] == "invalid_token"
    assert before == (User.objects.count(), Session.objects.count(), UsedAssertion.objects.count())


def test_the_first_time_an_account_is_made(client: APIClient) -> None:
    answer = exchange(
        client,
        username="dora",
        email="Dora@Example.org",
        email_verified=True,
        full_name="Dora \u202eDale",
        aud=["other", "aimessage"],
    )

    assert answer.status_code == 200
    assert set(answer.json()) == {"access_token", "refresh_token", "token_type", "user"}
    user = User.objects.get()
    assert answer.json()["user"]["id"] == user.pk
    assert (user.username, user.email, user.full_name) == ("dora", "Dora@example.org", "Dora Dale")
    assert user.email_verified_at is not None
    assert not user.has_usable_password()
    assert ExternalIdentity.objects.filter(issuer=ISSUER, subject="4711", user=user).exists()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {answer.json()['access_token']}")
    assert client.get("/auth/me").json()["username"] == "dora"
    assert client.post("/auth/login", {"username": "dora", "password": "!"}).status_code == 401


def test_the_next_time_it_is_the_same_account(client: APIClient) -> None:
    first = exchange(client, username="dora", email="dora@example.org")
    second = exchange(client, username="dorothy", email="other@example.org", full_name="Other")

    assert first.json()["user"] == second.json()["user"]
    assert User.objects.count() == 1
    assert Session.objects.count() == 2


def test_the_session_is_that_of_the_device(client: APIClient) -> None:
    client.post(
        "/auth/exchange", {"assertion": sign_assertion()}, HTTP_USER_AGENT="Phone", REMOTE_ADDR="192.0.2.9"
    )

    session = Session.objects.get()
    assert (session.device_info, session.ip_address) == ("Phone", "192.0.2.9")


@pytest.mark.parametrize(
    "more", [{}, {"email": ""}, {"email_verified": True}, {"full_name": "", "username": ""}]
)
def test_without_an_address_there_is_none_that_works(client: APIClient, more: dict[str, Any]) -> None:
    exchange(client, **more)
    exchange(client, sub="4712", **more)

    for user in User.objects.all():
        assert user.email.endswith("@users.invalid")
        assert user.email_verified_at is None
        assert user.full_name is None


@pytest.mark.parametrize("verified", [{}, {"email_verified": False}])
def test_an_address_counts_as_verified_only_where_the_issuer_says_so(
    client: APIClient, verified: dict[str, Any]
) -> None:
    exchange(client, email="dora@example.org", **verified)

    assert User.objects.get(email="dora@example.org").email_verified_at is None


@pytest.mark.parametrize(
    ("wanted", "username"),
    [
        ("dora", "dora"),
        ("_dora_", "_dora_"),
        ("dora@example.org", "dora@example.org"),
        ("auth0|5f7c 8ec7", "auth0_5f7c_8ec7"),
        ("Dora Dale", "Dora_Dale"),
        ("नमस्ते", "नमस्ते"),
        ("ﬁona", "fiona"),
        ("do\u200bra", "do_ra"),
        ("doraд", "dora"),
        ("дora!", "ora"),
        ("x" * 255, "x" * 100),
        ("\ufdfa" * 255, ("صلى_الله_عليه_وسلم" * 20)[:100].strip("_")),
        ("???", "user"),
        ("admin", "user"),
        ("ROOT", "user"),
        (" ", "user"),
    ],
)
def test_a_username_is_made_valid(client: APIClient, wanted: str, username: str) -> None:
    assert exchange(client, username=wanted).json()["user"]["username"] == username
    assert exchange(client, sub=wanted).json()["user"]["username"] != username


def test_the_subject_is_the_username_where_none_is_given(client: APIClient) -> None:
    assert exchange(client, sub="user:42").json()["user"]["username"] == "user_42"


def test_a_taken_name_gets_a_number_and_then_a_random_end(client: APIClient) -> None:
    UserFactory(username="DORA")

    names = [
        exchange(client, sub=str(number), username="dora").json()["user"]["username"] for number in range(6)
    ]

    assert names[:4] == ["dora-2", "dora-3", "dora-4", "dora-5"]
    assert len({*names}) == 6
    assert all(len(name) == len("dora-") + 8 for name in names[4:])


def test_a_long_name_that_is_taken_stays_within_bounds(client: APIClient) -> None:
    names = [exchange(client, sub=f"{'y' * 200}{number}").json()["user"]["username"] for number in range(7)]

    assert len({*names}) == 7
    assert max(map(len, names)) == 100


def test_it_gives_up_where_every_name_is_taken(client: APIClient, monkeypatch: pytest.MonkeyPatch) -> None:
    UserFactory(username="dora")
    monkeypatch.setattr(service, "_candidate_names", lambda wanted: iter(["dora"] * 20))

    assert exchange(client, username="dora").status_code == 409
    assert UsedAssertion.objects.count() == 0


# --- What is amiss ---


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
        for extra in range(800, 1400)
    )
    assertion = next(token for token in tokens if len(token) == size)

    assert exchange(client, assertion).status_code == status


@pytest.mark.parametrize("body", [{}, {"assertion": None}, {"assertion": 7}, {"assertion": ["x"]}])
def test_a_body_without_a_text_is_a_400(client: APIClient, body: dict[str, Any]) -> None:
    assert_problem(client.post("/auth/exchange", body), 400)


# --- Once ---


def test_an_assertion_works_once(client: APIClient) -> None:
    assertion = sign_assertion()

    assert exchange(client, assertion).status_code == 200
    assert_refused(client, assertion)
    jti = jwt.decode(assertion, options={"verify_signature": False})["jti"]
    assert_refused(client, sign_assertion(sub="other", jti=jti))


def test_another_issuers_jti_is_another(client: APIClient, settings: Settings) -> None:
    exchange(client, jti="1")
    settings.ISSUER = "https://new.example.org"

    assert exchange(client, jti="1", iss=settings.ISSUER).status_code == 200
    assert User.objects.count() == 2  # and so is its subject


def test_what_was_used_is_remembered_until_it_has_expired(client: APIClient, time_machine: Any) -> None:
    now = timezone.now()
    time_machine.move_to(now, tick=False)
    exchange(client)

    time_machine.move_to(now + timedelta(seconds=119), tick=False)
    assert sweep() == {"used assertions": 0}
    time_machine.move_to(now + timedelta(seconds=121), tick=False)
    assert sweep(dry_run=True) == sweep() == {"used assertions": 1}
    assert sweep() == {"used assertions": 0}


# --- Who may not come in ---


def test_without_an_issuer_there_is_no_such_endpoint(client: APIClient, settings: Settings) -> None:
    assertion = sign_assertion()
    settings.ISSUER, settings.ISSUER_KEY = "", None

    for body in ({"assertion": assertion}, {}, {"assertion": 7}):
        assert_problem(client.post("/auth/exchange", body), 404, "Not found")


def test_no_account_is_made_where_the_settings_say_so(client: APIClient, settings: Settings) -> None:
    exchange(client)
    settings.ISSUER_CREATE = False
    UserFactory(email="dora@example.org")

    assert exchange(client).status_code == 200
    for more in ({}, {"email": "dora@example.org", "email_verified": True}):
        answer = exchange(client, sub="4712", **more)
        assert_problem(answer, 403, "No account for this user")
        assert answer.json()["code"] == "no_account"
    assert User.objects.count() == 2


def test_a_disabled_account_is_refused_as_at_the_login(client: APIClient, superuser: User) -> None:
    exchange(client)
    disable_user(User.objects.get(username="4711"), actor=superuser)

    answer = exchange(client)

    assert_problem(answer, 403, "User is disabled")
    assert answer.json()["code"] == "account_disabled"


def test_an_account_about_to_be_deleted_is_refused_as_at_the_login(client: APIClient) -> None:
    exchange(client)
    request_deletion(User.objects.get(), erases=False)

    assert exchange(client).json()["code"] == "deletion_pending"


def test_who_works_in_the_admin_does_not_come_in_so(
    client: APIClient, superuser: User, settings: Settings
) -> None:
    settings.ISSUER_LINK = True
    exchange(client)
    User.objects.filter(username="4711").update(is_staff=True)
    User.objects.filter(pk=superuser.pk).update(email_verified_at=timezone.now())

    for changed in ({}, {"sub": "root", "email": superuser.email, "email_verified": True}):
        answer = exchange(client, **changed)
        assert_problem(answer, 403)
        assert answer.json()["code"] == "forbidden"
    assert ExternalIdentity.objects.count() == 1


@pytest.mark.parametrize("registration", ["closed", "invite"])
def test_who_may_register_does_not_matter(client: APIClient, settings: Settings, registration: str) -> None:
    settings.REGISTRATION, settings.EMAIL_VERIFICATION = registration, "required"

    assert exchange(client, email="dora@example.org").status_code == 200
    assert User.objects.get().email_verified_at is None


def test_no_second_factor_is_asked_for(client: APIClient) -> None:
    exchange(client)
    enrol(User.objects.get())

    assert exchange(client).status_code == 200


@pytest.mark.parametrize("claim", ["sub", "jti", "username", "full_name"])
def test_a_claim_may_have_255_characters(client: APIClient, claim: str) -> None:
    assert exchange(client, **{claim: "é" * 255}).status_code == 200


# --- Links ---


@pytest.fixture
def dora() -> User:
    return UserFactory(username="dora", email="Dora@example.org", email_verified_at=timezone.now())


def test_a_taken_address_is_refused(client: APIClient, dora: User) -> None:
    for verified in (True, False):
        answer = exchange(client, email="dora@EXAMPLE.org", email_verified=verified)
        assert_problem(answer, 400, "Email already registered")
        assert answer.json()["codes"] == {"email": ["taken"]}
    assert User.objects.count() == 1
    assert UsedAssertion.objects.count() == 0


def test_an_account_is_linked_where_both_sides_verified_the_address(
    client: APIClient, settings: Settings, dora: User
) -> None:
    settings.ISSUER_LINK = True

    answer = exchange(client, email="dora@EXAMPLE.org", email_verified=True, full_name="Other")

    assert answer.json()["user"]["id"] == dora.pk
    assert exchange(client).json()["user"]["id"] == dora.pk
    dora.refresh_from_db()
    assert dora.has_usable_password()
    assert dora.full_name == "Dora Example"


@pytest.mark.parametrize("ours", [True, False])
@pytest.mark.parametrize("theirs", [True, False])
def test_none_is_linked_where_one_side_did_not(
    client: APIClient, settings: Settings, dora: User, ours: bool, theirs: bool
) -> None:
    settings.ISSUER_LINK = True
    if not ours:
        User.objects.update(email_verified_at=None)

    answer = exchange(client, email="dora@example.org", email_verified=theirs)

    assert answer.status_code == (200 if ours and theirs else 400)


def test_an_account_is_linked_to_one_user_of_an_issuer(
    client: APIClient, settings: Settings, dora: User
) -> None:
    settings.ISSUER_LINK = True
    mail = {"email": "dora@example.org", "email_verified": True}
    exchange(client, **mail)

    assert_problem(exchange(client, sub="4712", **mail), 400, "Email already registered")
    assert ExternalIdentity.objects.get().subject == "4711"


def test_neither_the_disabled_nor_bots_are_linked(
    client: APIClient, settings: Settings, dora: User, superuser: User
) -> None:
    settings.ISSUER_LINK = True
    mail = {"email": "dora@example.org", "email_verified": True}
    disable_user(dora, actor=superuser)
    assert exchange(client, **mail).json()["code"] == "account_disabled"
    User.objects.filter(pk=dora.pk).update(is_active=True, kind="bot")
    assert_problem(exchange(client, **mail), 400, "Email already registered")
    assert ExternalIdentity.objects.count() == 0


def test_links_need_no_permission_to_create(client: APIClient, settings: Settings, dora: User) -> None:
    settings.ISSUER_LINK, settings.ISSUER_CREATE = True, False

    assert exchange(client, email="dora@example.org", email_verified=True).status_code == 200


# --- Besides ---


def test_an_account_that_was_deleted_is_made_anew(client: APIClient) -> None:
    first = exchange(client).json()["user"]["id"]
    User.objects.get().delete()

    assert exchange(client).json()["user"]["id"] != first


def test_exchanges_count_as_logins(client: APIClient, settings: Settings) -> None:
    settings.THROTTLE_RATES = {**settings.THROTTLE_RATES, "login": (2, 60)}

    assert [exchange(client, sub=str(number)).status_code for number in range(3)] == [200, 200, 429]


def test_who_has_no_password_proves_it_with_a_fresh_session(
    client: APIClient, as_user: ApiClient, time_machine: Any
) -> None:
    start = timezone.now()
    time_machine.move_to(start, tick=False)
    tokens = exchange(client).json()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {tokens['access_token']}")
    time_machine.move_to(start + timedelta(minutes=10), tick=False)
    assert client.post("/auth/me/export", {}).status_code == 200
    time_machine.move_to(start + timedelta(minutes=10, seconds=1), tick=False)

    answer = client.post("/auth/me/delete", {"current_password": ""})

    assert_problem(answer, 403, "Log in again first")
    assert answer.json()["code"] == "session_required"
    assert User.objects.get(username="4711").is_active


def test_who_has_no_address_is_written_to_nowhere(client: APIClient, settings: Settings) -> None:
    exchange(client)
    request_deletion(User.objects.get(), erases=False)
    settings.DELETION_DELAY = timedelta(0)
    exchange(client, sub="4712")
    request_deletion(User.objects.get(username="4712"), erases=False)

    assert not Mail.objects.exists()


def test_an_address_of_an_own_user_is_not_written_to_for_verification(client: APIClient) -> None:
    """The issuer vouches, or does not: nobody asked for a mail."""
    exchange(client, email="dora@example.org")

    assert not Mail.objects.exists()
