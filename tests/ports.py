"""Ports for servers that tests start."""

import random
import socket
from contextlib import suppress


def free_port() -> int:
    """A free port of 127.0.0.1, below those that outgoing connections are given.

    One of those could be taken by somebody's connection before the server is up.
    """
    # The seed of the run's random numbers is the same in all its processes.
    for port in random.SystemRandom().sample(range(20_000, 32_000), 50):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("No port is free")
