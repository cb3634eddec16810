"""URLs: the same views as Django finds, whether or not they were asked for before."""

import pytest
from django.http import HttpRequest, HttpResponse
from django.urls import Resolver404, path

from aimessage.routing import QuickResolver


def fixed(request: HttpRequest) -> HttpResponse:
    return HttpResponse()


def numbered(request: HttpRequest, pk: int) -> HttpResponse:
    return HttpResponse(str(pk))


@pytest.fixture
def resolver() -> QuickResolver:
    return QuickResolver([path("things", fixed), path("things/<int:pk>", numbered)])


def test_a_path_leads_to_the_same_view_each_time(resolver: QuickResolver) -> None:
    first, again = (resolver.resolve("things") for _ in range(2))

    assert first is again
    assert (first.func, first.route, first.kwargs) == (fixed, "things", {})


def test_every_parameter_is_read(resolver: QuickResolver) -> None:
    found = [resolver.resolve(f"things/{pk}") for pk in (1, 2, 1)]

    assert [(match.func, match.kwargs) for match in found] == [(numbered, {"pk": pk}) for pk in (1, 2, 1)]
    assert resolver._known == {}


def test_what_leads_nowhere_is_not_remembered(resolver: QuickResolver) -> None:
    for _ in range(2):
        with pytest.raises(Resolver404):
            resolver.resolve("nothing")

    assert resolver._known == {}
