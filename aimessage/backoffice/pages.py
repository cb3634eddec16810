"""Base classes of the admin's pages: they act through the services, show refusals, and record every act in
the audit trail."""

import json
import re
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from typing import Any

from django.contrib import messages
from django.contrib.admin.exceptions import NotRegistered
from django.contrib.admin.models import LogEntry
from django.contrib.admin.utils import unquote
from django.contrib.admin.views.main import PAGE_VAR
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse

from aimessage.api.problems import DomainError, Unavailable
from aimessage.audit.acting import acting, is_acting, record
from aimessage.audit.models import Entry
from aimessage.audit.states import State, difference, state_of
from aimessage.backoffice.lists import AskingAdmin, OfferedLookupsAdmin, is_numbered, is_superuser
from aimessage.db.ids import is_id

#: Rows on one page of an object's history.
HISTORY_PAGE = 100


class AuditedAdmin(OfferedLookupsAdmin):
    """A page that records every act in the audit trail, with what changed.

    Django's pages call `log_addition`, `log_change` and `log_deletions`. Our own views call one of them, or
    `log_act`, after the act and within its transaction. `get_object` notes the object's state before the act;
    for any other object call `watch` first.
    """

    #: Text fields that the trail may show.
    audit_texts: list[str] = []

    def state_of(self, obj: Any) -> State:
        """What the trail compares and shows. Pages may override it."""
        return state_of(obj, texts=self.audit_texts)

    def watch(self, request: HttpRequest, obj: Model) -> None:
        """Notes the state of `obj` before an act.

        Takes no lock, since that would precede the locks of the services and break their order. So of two
        concurrent acts, the second row may show the state before the first; the order of the rows is right.
        """
        if is_acting():
            _seen(request)[obj._meta.label_lower, obj.pk] = self._state_now(obj)

    def _state_now(self, obj: Model) -> State:
        current = obj._meta.model._base_manager.filter(pk=obj.pk).first()
        return self._page_of(obj).state_of(current) if current else {}

    def _page_of(self, obj: Model) -> "AuditedAdmin":
        try:
            page = self.admin_site.get_model_admin(obj._meta.model)
        except NotRegistered:
            return self
        return page if isinstance(page, AuditedAdmin) else self

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        if from_field is None and is_numbered(self.opts) and not is_id(object_id):
            return None
        obj = super().get_object(request, object_id, from_field)
        if obj is not None:
            self.watch(request, obj)
        return obj

    def log_act(self, request: HttpRequest, obj: Model, act: str, message: str) -> None:
        """Records an act such as `report.claimed`, with what changed since `watch`."""
        seen = _seen(request).pop((obj._meta.label_lower, obj.pk), None)
        now = self._state_now(obj)
        before, after = difference(seen, now) if seen else ({}, {})
        if "password" in after:
            act = "password.set"
        record(request, act, message, target=obj, before=before, after=after)

    def log_addition(self, request: HttpRequest, obj: Model, message: object) -> None:  # type: ignore[override]
        _, after = difference({}, self._state_now(obj))
        record(request, f"{self._noun}.added", _sentence(message), target=obj, after=after)

    def log_change(self, request: HttpRequest, obj: Model, message: object) -> None:  # type: ignore[override]
        sentence = _sentence(message)
        # A message of our own, such as "Claimed.", also names the act. Django's own is a list.
        name = _slug(sentence) if isinstance(message, str) else "changed"
        self.log_act(request, obj, f"{self._noun}.{name}", sentence)

    def log_deletions(self, request: HttpRequest, queryset: Iterable[Model]) -> None:  # type: ignore[override]
        for obj in queryset:
            before, _ = difference(self.state_of(obj), {})
            record(request, f"{self._noun}.deleted", "Deleted.", target=obj, before=before)

    @property
    def _noun(self) -> str:
        return str(self.opts.model_name)

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, object] | None = None
    ) -> HttpResponse:
        # Works for deleted objects, too.
        pk = unquote(object_id)
        obj = self.get_object(request, pk)
        if not self.has_view_or_change_permission(request, obj):
            raise PermissionDenied
        # No database can store a NUL, so no id contains one.
        entries = Entry.objects.about(self.opts.label_lower, pk.replace("\0", ""))
        latest = entries.first()
        if obj is None and latest is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, pk)  # type: ignore[attr-defined]
        paginator = self.get_paginator(request, entries, HISTORY_PAGE)
        page = paginator.get_page(request.GET.get(PAGE_VAR, 1))
        context = {
            **self.admin_site.each_context(request),
            "title": f"History: {obj or (latest and latest.target_label)}",
            "entries": page,
            "page_range": paginator.get_elided_page_range(page.number),
            "page_var": PAGE_VAR,
            "pagination_required": paginator.num_pages > 1,
            "module_name": str(self.opts.verbose_name_plural).capitalize(),
            "object": obj,
            "opts": self.opts,
            "may_look_closer": request.user.has_perm("audit.view_entry"),
            **(extra_context or {}),
        }
        return TemplateResponse(request, "admin/object_history.html", context)


class ServiceAdmin(AskingAdmin, AuditedAdmin):
    """A page that acts through services. If one refuses, the page shows why and saves nothing."""

    def changeform_view(self, request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        return self._explained(request, super().changeform_view, *args, **kwargs)

    def delete_view(self, request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        return self._explained(request, super().delete_view, *args, **kwargs)

    def changelist_view(self, request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        return self._explained(request, super().changelist_view, *args, **kwargs)

    def _explained(
        self, request: HttpRequest, view: Callable[..., HttpResponse], *args: object, **kwargs: object
    ) -> HttpResponse:
        # A refusal rolls back the whole action with its rows in the trail. A GET opens no transaction, which
        # on SQLite would block writers.
        undo = acting() if request.method == "POST" else nullcontext()
        try:
            with undo:
                return view(request, *args, **kwargs)
        except Unavailable:  # the site has a page for it
            raise
        except DomainError as error:
            messages.error(request, error.detail)
            return redirect(request.get_full_path())

    def act_on_each(
        self,
        request: HttpRequest,
        objects: Iterable[Model],
        act: Callable[[Any], object],
        name: str,
        done: str,
    ) -> None:
        """Calls `act` on each and records it as `name`; shows how many were `done` and which were refused.

        For example `act_on_each(request, users, end, "user.logged_out", "logged out")`.
        """
        count = 0
        for obj in objects:
            self.watch(request, obj)
            try:
                act(obj)
            except DomainError as error:
                messages.error(request, f"{obj}: {error.detail}.")
            else:
                self.log_act(request, obj, name, f"{done[:1].upper()}{done[1:]}.")
                count += 1
        if count:
            messages.success(request, f"{self.counted(count)} {done}.")


class SuperuserAdmin(ServiceAdmin):
    """A page that roles may read, but only superusers change.

    Anyone who may change users or roles could make themselves a superuser.
    """

    def has_add_permission(self, request: HttpRequest) -> bool:
        return is_superuser(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return is_superuser(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return is_superuser(request)


def _seen(request: HttpRequest) -> dict[tuple[str, object], State]:
    # The state of each object before the act, by kind and id.
    states: dict[tuple[str, object], State] = request.__dict__.setdefault("_states_seen", {})
    return states


def _sentence(message: object) -> str:
    if isinstance(message, str):
        return message
    return LogEntry(change_message=json.dumps(message)).get_change_message()


def _slug(sentence: str) -> str:
    return re.sub(r"[^a-z]+", "_", sentence.lower()).strip("_")
