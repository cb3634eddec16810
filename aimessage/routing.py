"""URLs that are found without trying one pattern after the other."""

from collections.abc import Sequence

from django.urls import URLPattern, URLResolver
from django.urls.resolvers import ResolverMatch, RoutePattern


class QuickResolver(URLResolver):
    """Django's resolver, which remembers what paths without parameters lead to.

    Django asks every pattern that stands before the one that fits, which for this API takes as long as
    the check of a token. There are no more paths to remember than patterns.
    """

    def __init__(self, patterns: Sequence[URLPattern | URLResolver]) -> None:
        super().__init__(RoutePattern("", is_endpoint=False), list(patterns))
        self._known: dict[str, ResolverMatch] = {}

    def resolve(self, path: str) -> ResolverMatch:
        """Raises Resolver404 for a path that leads nowhere."""
        known = self._known.get(path)
        if known is not None:
            return known
        match = super().resolve(path)
        if not match.args and not match.kwargs:
            self._known[path] = match
        return match
