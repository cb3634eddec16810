"""The routes of the URL conf, and a way to call many of them in one test."""

import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from django.db import transaction
from django.urls import URLPattern, URLResolver, get_resolver

T = TypeVar("T")

#: First segments of paths that are pages, and not the API's.
OTHERS = ("admin", "static", "account")
METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


def api_routes() -> set[tuple[str, str]]:
    """Every (method, path) of the API, the path as the URL conf writes it: `/messages/<str:pk>`."""
    return {
        (method, path)
        for path, pattern in _patterns(get_resolver(), "/")
        if not path.startswith(tuple(f"/{other}" for other in OTHERS))
        for method in METHODS
        if _offers(pattern, method)
    }


def _patterns(resolver: URLResolver, prefix: str) -> Iterator[tuple[str, URLPattern]]:
    for pattern in resolver.url_patterns:
        path = f"{prefix}{pattern.pattern}"
        if isinstance(pattern, URLResolver):
            yield from _patterns(pattern, path)
        else:
            yield path, pattern


def _offers(pattern: URLPattern, method: str) -> bool:
    callback: Any = pattern.callback
    actions = getattr(callback, "actions", None)
    return method.lower() in actions if actions is not None else hasattr(callback.cls, method.lower())


def share(key: str, tries: Sequence[T], *, of: int) -> Sequence[T]:
    """One in `of` of the tries, other ones for each key, such as a page: for code that all pages share.

    All keys together try all of them, many times.
    """
    return tries[zlib.crc32(key.encode()) % of :: of]


@contextmanager
def undone() -> Iterator[None]:
    """Rolls back what is written within, so that every call finds the same rows."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)
