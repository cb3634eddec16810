"""Codes that link an address to an account.

A code is derived from its row's salt and the server's key; the database holds only its digest.
"""

import secrets

from django.utils.crypto import salted_hmac

from channels.models import LinkCode

#: Capital letters and digits that cannot be mistaken for each other.
ALPHABET = "23456789ABCDEFGHJKMNPQRSTVWXYZ"
TEXT_LENGTH, SMS_LENGTH = 6, 6


def new_salt() -> str:
    return secrets.token_hex(16)


def code_of(code: LinkCode) -> str:
    number = int.from_bytes(salted_hmac("channels.code", code.salt, algorithm="sha256").digest())
    if code.method == LinkCode.Method.SMS:
        return f"{number % 10**SMS_LENGTH:0{SMS_LENGTH}}"
    letters = []
    for _ in range(TEXT_LENGTH):
        number, place = divmod(number, len(ALPHABET))
        letters.append(ALPHABET[place])
    return "".join(letters)


def digest_of(typed: str, code: LinkCode | None = None) -> str:
    # Keyed, because a code is so short that a plain hash could be reversed by trying every code. SMS codes
    # are salted as well: they are checked against one user's row and never looked up by their digest.
    owner = code.salt if code is not None and code.method == LinkCode.Method.SMS else ""
    return salted_hmac("channels.code_digest", f"{owner}\n{typed}", algorithm="sha256").hexdigest()
