"""Converts telephone numbers to E.164, the form in which they are stored and compared."""

import re
from functools import cache

import phonenumbers

#: Characters of a number in any notation.
_WRITTEN = re.compile(r"(?:tel:)?\+?[\d\s()./-]+")
#: A number in international form and nothing else, with the separators of RFC 3966 and the digits and dashes
#: of other scripts. One slash, after the area code; a later one could separate two numbers.
_SEPARATORS = r"[ \t\u00a0\u2000-\u200a\u202f\u3000().\uff08\uff09\uff0e\-\u2010-\u2015\u2212\uff0d]*"
_INTERNATIONAL = re.compile(
    r"(?:tel:)?[(\uff08]?(?:[+\uff0b]|00)"
    rf"(?:{_SEPARATORS}\d){{0,8}}(?:{_SEPARATORS}[/\uff0f])?(?:{_SEPARATORS}\d)+"
)
#: Address books put these around a number.
_BIDI_CONTROLS = re.compile("[\u200e\u200f\u202a-\u202e\u2066-\u2069]")
#: Characters of a number as typed; at most 15 are digits.
_SENT_MAX_LENGTH = 64
_HOW = "Enter a phone number in international form and nothing else, as +49 30 123456."
#: Digits. A shorter number without a country code would match in nearly every country.
_MIN_NATIONAL = 6


def to_e164(raw: str) -> str:
    """`+49 (30) 123456`, `0049 30 123456` or `tel:+49-30-123456` as `+4930123456` (ITU-T E.164).

    Raises ValueError for an impossible number and for text around a number. The library alone would find a
    number in any text, and read letters as keypad digits.
    """
    if len(raw) > _SENT_MAX_LENGTH:
        raise ValueError(_HOW)
    text = _BIDI_CONTROLS.sub("", raw).strip()
    if not _INTERNATIONAL.fullmatch(text):
        raise ValueError(_HOW)
    text = text.removeprefix("tel:").lstrip("(\uff08")
    if text.startswith("00"):
        text = f"+{text[2:]}"
    try:
        number = phonenumbers.parse(text, None)
    except phonenumbers.NumberParseException as error:
        raise ValueError(_HOW) from error
    # Not is_possible_number(), which also accepts numbers that can only be called from the same area.
    if phonenumbers.is_possible_number_with_reason(number) != phonenumbers.ValidationResult.IS_POSSIBLE:
        raise ValueError("This phone number has too many or too few digits for its country.")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def possible_numbers(raw: str) -> list[str]:
    """The E.164 forms that `raw` may mean: one for `+49 30 123456`, one per country for `030 123456`.

    Empty if `raw` is no telephone number.
    """
    text = raw.strip()
    if len(text) > _SENT_MAX_LENGTH or not _WRITTEN.fullmatch(text):
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
    """The beginning of the E.164 form, for a number that is typed in part: `0049 (30) 12` gives `+493012`."""
    digits = digits_of(raw)
    if not digits or not _WRITTEN.fullmatch(raw.strip()):
        return None
    return f"+{digits.removeprefix('00')}"


def digits_of(raw: str) -> str:
    return re.sub(r"[^0-9]", "", raw)


@cache
def _regions() -> list[str]:
    # One for each calling code.
    regions = (known[0] for known in phonenumbers.COUNTRY_CODE_TO_REGION_CODE.values())
    return [region for region in regions if region != "001"]  # international services, no country
