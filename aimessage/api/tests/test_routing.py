"""URLs: the same views as Django finds, whether or not they were asked for before."""

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponse
from django.urls import Resolver404, include, path

from aimessage.api.routing import QuickResolver


def fixed(request: HttpRequest) -> HttpResponse:
    return HttpResponse()


def numbered(request: HttpRequest, pk: int) -> HttpResponse:
    return HttpResponse(str(pk))


def named(request: HttpRequest, name: str) -> HttpResponse:
    return HttpResponse(name)


@pytest.fixture
def resolver() -> QuickResolver:
    included = [path("things/<int:pk>", numbered), path("things/<str:name>", named), path("others", fixed)]
    return QuickResolver([path("", fixed), path("things", fixed), path("", include(included))])


def test_a_path_leads_to_the_same_view_each_time(resolver: QuickResolver) -> None:
    first, again = (resolver.resolve("things") for _ in range(2))

    assert first is again
    assert (first.func, first.route, first.kwargs) == (fixed, "things", {})


def test_every_parameter_is_read(resolver: QuickResolver) -> None:
    found = [resolver.resolve(f"things/{pk}") for pk in (1, 2, 1)]

    assert [(match.func, match.kwargs) for match in found] == [(numbered, {"pk": pk}) for pk in (1, 2, 1)]
    assert resolver._known == {}


def test_patterns_are_asked_in_their_order(resolver: QuickResolver) -> None:
    assert resolver.resolve("things/7").func is numbered
    assert resolver.resolve("things/seven").func is named
    assert [resolver.resolve(text).route for text in ("", "others")] == ["", "others"]


def test_with_a_first_segment_that_may_be_any_all_are_asked_in_their_order() -> None:
    resolver = QuickResolver([path("<str:name>", named), path("things", fixed)])

    assert resolver.resolve("things").func is named


def test_what_has_a_prefix_does_not_belong_here() -> None:
    resolver = QuickResolver([path("a/", include([path("b", fixed)]))])

    with pytest.raises(ImproperlyConfigured):
        resolver.resolve("a/b")


def test_what_leads_nowhere_is_not_remembered(resolver: QuickResolver) -> None:
    for _ in range(2):
        with pytest.raises(Resolver404):
            resolver.resolve("nothing")

    assert resolver._known == {}
