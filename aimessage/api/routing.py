"""URLs that are found without trying one pattern after the other."""

from collections.abc import Iterator, Sequence
from functools import cached_property

from django.core.exceptions import ImproperlyConfigured
from django.urls import URLPattern, URLResolver
from django.urls.resolvers import ResolverMatch, RoutePattern


class QuickResolver(URLResolver):
    """Django's resolver, which remembers what paths without parameters lead to, and looks at beginnings.

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
        match = self._among_those_that_begin_so(path) or super().resolve(path)
        if not match.args and not match.kwargs:
            self._known[path] = match
        return match

    def _among_those_that_begin_so(self, path: str) -> ResolverMatch | None:
        for pattern in self._beginnings.get(path.partition("/")[0], ()):
            if match := pattern.resolve(path):
                return match
        return None

    @cached_property
    def _beginnings(self) -> dict[str, list[URLPattern]]:
        """Patterns by the first segment of their routes, in their order, where that is the same for all."""
        found: dict[str, list[URLPattern]] = {}
        for pattern in _flat(self.url_patterns):
            first = str(pattern.pattern).partition("/")[0]
            if "<" in first or not isinstance(pattern.pattern, RoutePattern):
                # It could be any, and has to be asked in its turn.
                return {}
            found.setdefault(first, []).append(pattern)
        return found


def _flat(patterns: Sequence[URLPattern | URLResolver]) -> Iterator[URLPattern]:
    """The patterns with those that are included without a prefix."""
    for pattern in patterns:
        if isinstance(pattern, URLPattern):
            yield pattern
        elif not str(pattern.pattern) and not pattern.namespace and not pattern.default_kwargs:
            yield from _flat(pattern.url_patterns)
        else:
            raise ImproperlyConfigured(f"{pattern} is included with a prefix: put it beside, not into this")
