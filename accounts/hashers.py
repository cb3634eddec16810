"""bcrypt in a queue of its own, so that many logins at once leave the processor to everybody else."""

import os
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.contrib.auth.hashers import BCryptSHA256PasswordHasher


@lru_cache(maxsize=1)
def _queue(process: int) -> ThreadPoolExecutor:
    """Of each process its own: threads do not survive a fork."""
    threads = max(1, (os.cpu_count() or 1) // settings.WORKERS)
    return ThreadPoolExecutor(threads, thread_name_prefix="bcrypt")


class QueuedBCryptHasher(BCryptSHA256PasswordHasher):
    """Django's hasher, but that no more hash at a time than there are cores.

    Hashing takes a quarter of a second without the interpreter's lock. Eight at a time on two cores would
    take as long in all, and leave to the other requests a fifth of the processor each time they ask for it.
    """

    def encode(self, password: str, salt: Any) -> str:
        return _queue(os.getpid()).submit(super().encode, password, salt).result()
