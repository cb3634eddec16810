"""Encryption of secrets that the database holds, under AI_MESSAGE_ENCRYPTION_KEYS.

The first key seals, all of them open, so that keys can be changed in use; `manage.py reseal` moves what was
sealed under a former key to the first.
"""

from base64 import urlsafe_b64encode
from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings


class Unopened(Exception):
    """None of the keys opens it."""


def seal(text: str) -> str:
    return _fernet().encrypt(text.encode()).decode()


def unseal(sealed: str) -> str:
    """What was sealed; raises Unopened."""
    try:
        return _fernet().decrypt(sealed.encode()).decode()
    except InvalidToken as error:
        raise Unopened from error


def reseal(sealed: str) -> str:
    """The same under the first key; raises Unopened."""
    try:
        return _fernet().rotate(sealed.encode()).decode()
    except InvalidToken as error:
        raise Unopened from error


def _fernet() -> MultiFernet:
    return _fernet_of(tuple(settings.ENCRYPTION_KEYS))


@lru_cache(maxsize=8)
def _fernet_of(keys: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([Fernet(urlsafe_b64encode(_derive(key))) for key in keys])


def _derive(key: str) -> bytes:
    """32 bytes that only seals use, since SECRET_KEY signs other things as well."""
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=b"aimessage.seals").derive(key.encode())
