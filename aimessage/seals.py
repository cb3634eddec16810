"""Encrypts secrets in the database, with AI_MESSAGE_ENCRYPTION_KEYS.

The first key encrypts and all of them decrypt, so keys can be rotated; `manage.py reseal` encrypts everything
anew with the first key.
"""

from base64 import urlsafe_b64encode
from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings


class Unopened(Exception):
    """No key decrypts it."""


def seal(text: str) -> str:
    return _fernet().encrypt(text.encode()).decode()


def unseal(sealed: str) -> str:
    """Raises Unopened."""
    try:
        return _fernet().decrypt(sealed.encode()).decode()
    except InvalidToken as error:
        raise Unopened from error


def reseal(sealed: str) -> str:
    """Encrypts with the first key; raises Unopened."""
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
    # A key of its own, since the default, SECRET_KEY, also signs other things.
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=b"aimessage.seals").derive(key.encode())
