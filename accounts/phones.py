"""Telephone numbers in the one form that can be compared: E.164."""

import re
from functools import cache

import phonenumbers

#: What a number is written with, apart from letters.
_WRITTEN = re.compile(r"(?:tel:)?\+?[\d\s()./-]+")
#: Digits below which a number without its country could be nearly anybody's.
_MIN_NATIONAL = 6


def to_e164(raw: str) -> str:
    """`+49 (30) 123456`, `0049 30 123456` or `tel:+49-30-123456` as `+4930123456` (ITU-T E.164).

    Raises ValueError for what is no possible international number.
    """
    text = raw.strip()
    if text.startswith("00"):
        text = f"+{text[2:]}"
    try:
        number = phonenumbers.parse(text, None)
    except phonenumbers.NumberParseException as error:
        raise ValueError("Enter a phone number in international form, as +49 30 123456.") from error
    if not phonenumbers.is_possible_number(number):
        raise ValueError("This phone number has too many or too few digits for its country.")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def possible_numbers(raw: str) -> list[str]:
    """The E.164 forms that `raw` may stand for, none where it is no telephone number.

    One for `+49 30 123456`, one for each country where `030 123456` is possible.
    """
    text = raw.strip()
    if not _WRITTEN.fullmatch(text):
        return []
    try:
        return [to_e164(text)]
    except ValueError:
        pass
    if len(digits_of(text)) < _MIN_NATIONAL or text.startswith(("+", "00")):
        return []
    found = set()
    for region in _regions():
        try:
            number = phonenumbers.parse(text, region)
        except phonenumbers.NumberParseException:
            continue
        if phonenumbers.is_possible_number(number):
            found.add(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))
    return sorted(found)


def number_prefix(raw: str) -> str | None:
    """What the E.164 form of a number that is typed so far, `0049 (30) 12`, starts with."""
    digits = digits_of(raw)
    if not digits or not _WRITTEN.fullmatch(raw.strip()):
        return None
    return f"+{digits.removeprefix('00')}"


def digits_of(raw: str) -> str:
    return re.sub(r"[^0-9]", "", raw)


@cache
def _regions() -> list[str]:
    """One region for each calling code."""
    regions = (known[0] for known in phonenumbers.COUNTRY_CODE_TO_REGION_CODE.values())
    return [region for region in regions if region != "001"]  # which is no country
