"""A Redis of a test's own, which may be killed."""

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from redis import Redis, RedisError

from tests.ports import free_port


class PrivateRedis:
    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.folder = folder
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.client = Redis.from_url(self.url)
        self.start()

    def start(self) -> None:
        keeps_nothing = ["--save", "", "--appendonly", "no", "--dir", str(self.folder)]
        command = ["redis-server", "--bind", "127.0.0.1", "--port", str(self.port), *keeps_nothing]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        for _ in range(500):
            with suppress(RedisError):
                self.client.ping()
                return
            time.sleep(0.02)
        raise AssertionError("redis-server does not answer")

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@contextmanager
def private_redis(folder: Path) -> Iterator[PrivateRedis]:
    if shutil.which("redis-server") is None:
        pytest.skip("redis-server is missing. On Debian: apt install redis-server")
    redis = PrivateRedis(folder)
    try:
        yield redis
    finally:
        redis.kill()
