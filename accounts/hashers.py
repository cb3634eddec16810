"""bcrypt hashers that wait in a queue: one for new passwords, one for hashes from the former backend."""

import re
from time import perf_counter
from typing import Any

import bcrypt
from django.contrib.auth.hashers import BCryptPasswordHasher, BCryptSHA256PasswordHasher

from aimessage.api.guesses import QUEUE

#: bcrypt reads no more of a password. The library used to cut the rest off; since version 5 it raises.
BCRYPT_BYTES = 72
#: The cost of our own hashes, and the highest cost that is checked; each step doubles the time.
MAX_COST = 12
_BCRYPT = re.compile(r"\$2[aby]\$(0[4-9]|[12][0-9]|3[01])\$[./A-Za-z0-9]{53}")


class QueuedBCryptHasher(BCryptSHA256PasswordHasher):
    rounds = MAX_COST

    def encode(self, password: str, salt: Any) -> str:
        with QUEUE.turn():
            started = perf_counter()
            encoded = super().encode(password, salt)
            QUEUE.measured(perf_counter() - started)
        return encoded


class ImportedBCryptHasher(BCryptPasswordHasher):
    """Plain bcrypt, as the former backend used it: bytes after the 72nd do not count.

    It only checks. The first login replaces the hash by one of the preferred hasher.
    """

    rounds = MAX_COST

    def encode(self, password: str, salt: Any) -> str:
        known = password.encode()[:BCRYPT_BYTES]
        with QUEUE.turn():
            hashed = bcrypt.hashpw(known, salt).decode("ascii")
        return f"{self.algorithm}${hashed}"

    def verify(self, password: str, encoded: str) -> bool:
        with QUEUE.turn():
            # An expensive hash is refused: the time of its check would tell that the account exists.
            if not is_checkable(encoded.removeprefix(f"{self.algorithm}$")):
                self.encode(password, self.salt())
                return False
            is_correct = super().verify(password, encoded)
            if not is_correct:
                # So would the time of a cheap hash.
                self.harden_runtime(password, encoded)
            return is_correct


def is_bcrypt(hashed: str) -> bool:
    return _BCRYPT.fullmatch(hashed) is not None


def is_checkable(hashed: str) -> bool:
    """Whether `hashed` is a bcrypt hash, as `$2b$12$…`, with at most MAX_COST."""
    return is_bcrypt(hashed) and int(hashed[4:6]) <= MAX_COST
