"""What the admin's pages share: they act through the services, and tell what a service refuses."""

from collections.abc import Callable, Iterable
from contextlib import nullcontext
from typing import Any

from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.db import transaction
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from aimessage.problems import DomainError


class ServiceAdmin(ModelAdmin):
    """A page whose form ends in services: what they refuse is shown, and nothing is saved."""

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return self._explained(request, super().changeform_view, *args, **kwargs)

    def delete_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return self._explained(request, super().delete_view, *args, **kwargs)

    def changelist_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return self._explained(request, super().changelist_view, *args, **kwargs)

    def _explained(
        self, request: HttpRequest, view: Callable[..., HttpResponse], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        # Of several objects that one action touches, a refusal undoes all, and what the history says of
        # them. A page that is only read takes no transaction, which on SQLite would lock out writers.
        undo = transaction.atomic() if request.method == "POST" else nullcontext()
        try:
            with undo:
                return view(request, *args, **kwargs)
        except DomainError as error:
            messages.error(request, error.detail)
            return redirect(request.get_full_path())

    def act_on_each(
        self, request: HttpRequest, objects: Iterable[Model], act: Callable[[Any], object], done: str
    ) -> None:
        """Calls `act` on each, logs each, and tells how many were `done` and which were refused."""
        count = 0
        for obj in objects:
            try:
                act(obj)
            except DomainError as error:
                messages.error(request, f"{obj}: {error.detail}.")
            else:
                self.log_change(request, obj, f"{done.capitalize()}.")
                count += 1
        if count:
            noun = self.opts.verbose_name if count == 1 else self.opts.verbose_name_plural
            messages.success(request, f"{count} {noun} {done}.")


class ReadOnlyAdmin(ModelAdmin):
    """A page to look at. What may be done there is an action of its own."""

    def has_add_permission(self, request: HttpRequest, *args: Any) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class SuperuserAdmin(ServiceAdmin):
    """A page that a role may open to be read; only a superuser acts there.

    Whoever may change users or roles could make himself a superuser.
    """

    def has_add_permission(self, request: HttpRequest) -> bool:
        return is_superuser(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return is_superuser(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return is_superuser(request)


def actor_of(request: HttpRequest) -> Any:
    """Who acts; the admin lets nobody in who is not logged in."""
    return request.user


def is_superuser(request: HttpRequest) -> bool:
    return bool(request.user.is_active and request.user.is_superuser)
