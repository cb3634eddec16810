"""bcrypt in a queue of its own, and hashes of passwords that were set elsewhere."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any

import bcrypt
from django.conf import settings
from django.contrib.auth.hashers import BCryptPasswordHasher, BCryptSHA256PasswordHasher

#: What bcrypt looks at of a password. Its library cut the rest off, and since version 5 refuses it.
BCRYPT_BYTES = 72


@lru_cache(maxsize=1)
def _queue(process: int) -> ThreadPoolExecutor:
    """Of each process its own: threads do not survive a fork."""
    threads = max(1, (os.cpu_count() or 1) // settings.WORKERS)
    return ThreadPoolExecutor(threads, thread_name_prefix="bcrypt")


def _in_turn(hash_it: Callable[[], str]) -> str:
    """No more hash at a time than there are cores, so that many logins leave the processor to everybody else.

    Hashing takes a quarter of a second without the interpreter's lock. Eight at a time on two cores would
    take as long in all, and leave to the other requests a fifth of the processor each time they ask for it.
    """
    return _queue(os.getpid()).submit(hash_it).result()


class QueuedBCryptHasher(BCryptSHA256PasswordHasher):
    def encode(self, password: str, salt: Any) -> str:
        hash_it = super().encode
        return _in_turn(lambda: hash_it(password, salt))


class ImportedBCryptHasher(BCryptPasswordHasher):
    """Plain bcrypt as the former backend used it: what follows byte 72 of a password does not count.

    It only checks. The first login of its owner stores the hash of the preferred hasher instead.
    """

    def encode(self, password: str, salt: Any) -> str:
        known = password.encode()[:BCRYPT_BYTES]
        hashed = _in_turn(lambda: bcrypt.hashpw(known, salt).decode("ascii"))
        return f"{self.algorithm}${hashed}"

    def verify(self, password: str, encoded: str) -> bool:
        is_correct = super().verify(password, encoded)
        if not is_correct:
            # A cheaper hash would tell by time that there is such an account.
            self.harden_runtime(password, encoded)
        return is_correct
