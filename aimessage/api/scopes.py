"""Scopes: what a personal token may be used for.

A view names the scope of each of its actions in `scopes`. An action that it does not name needs a session.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING

from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request

from aimessage.api.problems import Forbidden, Reason

if TYPE_CHECKING:  # it imports the default permission, which is in this module
    from rest_framework.views import APIView

SCOPE_MISSING = Reason("This token does not allow that", "scope_missing")
SESSION_REQUIRED = Reason("Log in for that", "session_required")


class Scope(StrEnum):
    PROFILE_READ = "profile:read"
    PROFILE_WRITE = "profile:write"
    PEOPLE_READ = "people:read"
    PEOPLE_WRITE = "people:write"
    MESSAGES_READ = "messages:read"
    MESSAGES_WRITE = "messages:write"
    REPORTS_READ = "reports:read"
    REPORTS_WRITE = "reports:write"


CHOICES = [(scope.value, scope.value) for scope in Scope]


def token_scopes(request: Request) -> frozenset[str] | None:
    """The scopes of the request's personal token; None if it carries the token of a session."""
    scopes = getattr(request.auth, "scopes", None)
    return None if scopes is None else frozenset(scopes)


def scope_of(view: "APIView", method: str) -> Scope | None:
    """The scope that the view's current action needs; None if it needs a session.

    `view.scopes` is keyed by action, or by method (`get`) in a view that has no actions.
    """
    scopes: Mapping[str, Scope] = getattr(view, "scopes", {})
    method = "get" if method == "HEAD" else method.lower()
    return scopes.get(getattr(view, "action", None) or method)


class ScopePermission(IsAuthenticated):
    """Lets sessions do everything, and personal tokens what their scopes allow."""

    def has_permission(self, request: Request, view: "APIView") -> bool:
        if not super().has_permission(request, view):
            return False
        granted = token_scopes(request)
        if granted is None or not _offers(view, request.method or ""):
            return True
        needed = scope_of(view, request.method or "")
        if needed is None:
            raise Forbidden(SESSION_REQUIRED)
        if needed not in granted:
            raise Forbidden(SCOPE_MISSING)
        return True


def _offers(view: "APIView", method: str) -> bool:
    # Other methods get a 405 later.
    return method.lower() in view.http_method_names and hasattr(view, method.lower())
