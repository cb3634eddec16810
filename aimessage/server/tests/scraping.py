"""Reading /metrics, and what an act changes in it."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from django.test import Client

from aimessage.server.metrics import REGISTRY

Committed = Callable[..., AbstractContextManager[Any]]


def scrape(client: Client, host: str = "127.0.0.1:8000", **extra: Any) -> Any:
    return client.get("/metrics", HTTP_HOST=host, **extra)


def value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0


class Change:
    """By how much samples grew since it was made."""

    def __init__(self) -> None:
        self.before = self.now()

    @staticmethod
    def now() -> dict[tuple[str, tuple[str, ...]], float]:
        families = (family for family in REGISTRY.collect() if family.type == "counter")
        return {
            (sample.name.removeprefix("aimessage_"), tuple(sample.labels.values())): sample.value
            for family in families
            for sample in family.samples
        }

    def of(self, *names: str) -> dict[tuple[str, ...], float]:
        grown = {key: value - self.before.get(key, 0) for key, value in self.now().items()}
        return {
            (name, *labels): by for (name, labels), by in grown.items() if by and (not names or name in names)
        }
