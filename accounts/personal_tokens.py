"""The format of personal tokens: `aim_`, 43 random characters, and their checksum of 6 characters.

Secret scanners recognise the format, and a mistyped token costs no query.
"""

import re
import secrets
import string
import zlib

PREFIX = "aim_"
#: 256 bits, in an alphabet of 62 characters.
RANDOM_LENGTH = 43
CHECKSUM_LENGTH = 6
#: Characters of a token that its owner can see later.
SHOWN_LENGTH = 10

_ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
_FORM = re.compile(rf"{PREFIX}([0-9A-Za-z]{{{RANDOM_LENGTH}}})([0-9A-Za-z]{{{CHECKSUM_LENGTH}}})")


def new_token() -> str:
    text = "".join(secrets.choice(_ALPHABET) for _ in range(RANDOM_LENGTH))
    return f"{PREFIX}{text}{_checksum(text)}"


def is_well_formed(token: str) -> bool:
    match = _FORM.fullmatch(token)
    return match is not None and _checksum(match[1]) == match[2]


def _checksum(text: str) -> str:
    # CRC-32 in base 62, with leading zeros.
    number, digits = zlib.crc32(text.encode()), ""
    for _ in range(CHECKSUM_LENGTH):
        number, digit = divmod(number, len(_ALPHABET))
        digits = _ALPHABET[digit] + digits
    return digits
