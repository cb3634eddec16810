"""Telephone numbers in the one form that can be compared: E.164."""

import phonenumbers


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
