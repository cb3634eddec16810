"""Hashes of passwords that were set elsewhere."""

from typing import Any

import bcrypt
from django.contrib.auth.hashers import BCryptPasswordHasher

#: What bcrypt looks at of a password. Its library cut the rest off, and since version 5 refuses it.
BCRYPT_BYTES = 72


class ImportedBCryptHasher(BCryptPasswordHasher):
    """Plain bcrypt as the former backend used it: what follows byte 72 of a password does not count.

    It only checks. The first login of its owner stores the hash of the preferred hasher instead.
    """

    def encode(self, password: str, salt: Any) -> str:
        data = bcrypt.hashpw(password.encode()[:BCRYPT_BYTES], salt)
        return f"{self.algorithm}${data.decode('ascii')}"

    def verify(self, password: str, encoded: str) -> bool:
        is_correct = super().verify(password, encoded)
        if not is_correct:
            # A cheaper hash would tell by time that there is such an account.
            self.harden_runtime(password, encoded)
        return is_correct
