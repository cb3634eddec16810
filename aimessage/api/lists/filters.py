"""The base of the lists' filters: django-filter's, built only if the query names one of them."""

from typing import TYPE_CHECKING, Self

from django_filters.constants import EMPTY_VALUES
from django_filters.rest_framework import FilterSet
from django_filters.utils import translate_validation
from rest_framework.request import Request

if TYPE_CHECKING:  # at run time nothing here knows of accounts
    from accounts.models import User


class ListFilterSet(FilterSet):
    """A list with several branches applies it to each of them."""

    @classmethod
    def read(cls, request: Request) -> Self | None:
        """The filters of the request's query, None if there are none; raises ValidationError."""
        if request.query_params.keys().isdisjoint(cls.base_filters):
            return None
        filterset = cls(request.query_params, request=request)
        if not filterset.is_valid():
            raise translate_validation(filterset.errors)
        return filterset if filterset.used else None

    @property
    def user(self) -> "User":
        user: User = self.request.user
        return user

    @property
    def used(self) -> list[str]:
        return [name for name, value in self.form.cleaned_data.items() if value not in EMPTY_VALUES]
