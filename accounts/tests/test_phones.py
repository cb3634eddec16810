"""A phone number is in E.164, or refused: never guessed at."""

import pytest
from rest_framework.test import APIClient

from accounts.models import User
from accounts.tests.test_register import register
from aimessage.tests.asserts import assert_problem
from conftest import ApiClient

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("+49 30 123456", "+4930123456"),
        ("0049 (30) 123456", "+4930123456"),
        ("(+49) 30 123456", "+4930123456"),
        ("+49 (0)30 123456", "+4930123456"),
        ("+49 30/123456", "+4930123456"),
        ("tel:+49-30-123456", "+4930123456"),
        ("+1 (212) 555-1234", "+12125551234"),
        ("+1.212.555.1234", "+12125551234"),
        ("+33 1 23 45 67 89", "+33123456789"),
        ("+39 06 1234567", "+39061234567"),
        ("\u202a+49\u00a030\u2011123456\u202c", "+4930123456"),
        ("\uff0b\uff14\uff19 \uff13\uff10 \uff11\uff12\uff13\uff14\uff15\uff16", "+4930123456"),
    ],
)
def test_any_international_form_is_taken(
    client: APIClient, as_user: ApiClient, written: str, number: str
) -> None:
    answer = register(client, phone_number=written)
    assert (answer.status_code, answer.json()["phone_number"]) == (201, number)

    user = User.objects.get()
    dave = as_user(user)
    dave.put("/auth/me", {"phone_number": None})
    assert dave.put("/auth/me", {"phone_number": written}).json()["phone_number"] == number


@pytest.mark.parametrize(
    "written",
    [
        "+49 171 1234567 (Axel)",
        "Axel +49 171 1234567",
        "+49 30 12345O",
        "+49 30 l23456",
        "+49 30 123456 ext. 5",
        "+49 30 123456 ext 5",
        "+49 30 123456;ext=5",
        "+49 30 123456 x5",
        "+49 30 123456 #5",
        "+49 30 123456,5",
        "tel:123456;phone-context=+49-30",
        "+49 171 1234567, +49 30 123456",
        "+49 171 1234567 / +49 30 123456",
        "+49 171 1234567/7654321",
        "+49 30 12345/678",
        "+49 171 1234567\n7",
        "+49 171 1234567 or 030 1234",
        "+1 800 FLOWERS",
        "1-800-FLOWERS",
        "+49 30 12345\u00b2",
        "+4930123456-",
        "++4930123456",
        "030 123456",
        "+1 5551234",
        "+49 30",
        "+999 123456789",
        "+49 171 1234567 1234567",
        "+",
        "(" * 60 + "+1",
        "+" + "1 " * 100,
    ],
)
def test_anything_besides_the_number_is_refused(
    client: APIClient, as_user: ApiClient, alice: User, written: str
) -> None:
    for answer in (
        register(client, phone_number=written),
        as_user(alice).put("/auth/me", {"phone_number": written}),
    ):
        assert set(assert_problem(answer, 400)["errors"]) == {"phone_number"}
    assert not User.objects.exclude(phone_number=None).exists()
