"""bcrypt behind a queue, and hashes of passwords that were set elsewhere."""

import re
from time import perf_counter
from typing import Any

import bcrypt
from django.contrib.auth.hashers import BCryptPasswordHasher, BCryptSHA256PasswordHasher

from aimessage.api.guesses import QUEUE

#: What bcrypt looks at of a password. Its library cut the rest off, and since version 5 refuses it.
BCRYPT_BYTES = 72
#: The cost of our own hashes, and the highest of an imported one that is checked: each step doubles the time.
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
    """Plain bcrypt as the former backend used it: what follows byte 72 of a password does not count.

    It only checks. The first login of its owner stores the hash of the preferred hasher instead.
    """

    rounds = MAX_COST

    def encode(self, password: str, salt: Any) -> str:
        known = password.encode()[:BCRYPT_BYTES]
        with QUEUE.turn():
            hashed = bcrypt.hashpw(known, salt).decode("ascii")
        return f"{self.algorithm}${hashed}"

    def verify(self, password: str, encoded: str) -> bool:
        """False for a hash that costs more than our own: its time would tell that the account exists."""
        with QUEUE.turn():
            if not is_checkable(encoded.removeprefix(f"{self.algorithm}$")):
                self.encode(password, self.salt())
                return False
            is_correct = super().verify(password, encoded)
            if not is_correct:
                # A cheaper hash would tell by time that there is such an account.
                self.harden_runtime(password, encoded)
            return is_correct


def is_bcrypt(hashed: str) -> bool:
    return _BCRYPT.fullmatch(hashed) is not None


def is_checkable(hashed: str) -> bool:
    """Whether `hashed` is bcrypt's, as `$2b$12$…`, and cheap enough to be checked."""
    return is_bcrypt(hashed) and int(hashed[4:6]) <= MAX_COST
