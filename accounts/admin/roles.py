from collections.abc import Iterable
from functools import reduce
from operator import or_
from typing import Any, Protocol

from django import forms
from django.contrib import admin
from django.contrib.admin.actions import delete_selected
from django.contrib.auth.admin import GroupAdmin  # noqa: F401  registers what a role replaces
from django.contrib.auth.models import Group, Permission
from django.db.models import Case, Count, ManyToManyField, OuterRef, Q, QuerySet, Subquery, Value, When
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from accounts.admin.extensions import DeletionSummary, counted
from accounts.models import Role, User
from accounts.services.roles import delete_role, update_staff_flag
from aimessage.backoffice.lists import Checkboxes, IdChoicesField, actor_of
from aimessage.backoffice.pages import SuperuserAdmin

admin.site.unregister(Group)

#: The permissions that a role can have, in the order of the page, with their descriptions.
#: Django's other permissions do nothing here, or are for superusers only.
GRANTABLE = {
    "reports.view_report": "Reports: see them, each with the conversation around the reported message",
    "reports.change_report": "Reports: work on them: claim, comment, resolve, shut out who sent the message",
    "reports.delete_report": "Reports: delete them",
    "accounts.view_user": "Users: see them, with e-mail addresses and phone numbers",
    "accounts.view_role": "Roles: see them",
    "accounts.view_session": "Sessions: see who is logged in, from which address and device",
    "accounts.view_failedlogin": "Failed logins: see them, and who is locked out",
    "audit.view_entry": "Audit trail: see everything that was done in the admin, and export it",
}
#: Holders of a role that the deletion page names.
HOLDERS_SHOWN = 20


def _plain_words(permission: Permission) -> str:
    return GRANTABLE.get(_name(permission), permission.name)


def _name(permission: Permission) -> str:
    return f"{permission.content_type.app_label}.{permission.codename}"


def grantable() -> QuerySet[Permission]:
    named = [name.split(".") for name in GRANTABLE]
    matches = [Q(content_type__app_label=app, codename=codename) for app, codename in named]
    place = Case(*[When(match, then=Value(number)) for number, match in enumerate(matches)])
    known = reduce(or_, matches)
    return Permission.objects.filter(known).select_related("content_type").order_by(place)


class CountedRole(Protocol):
    """A role as `RoleAdmin.get_queryset` annotates it."""

    pk: int
    holder_count: int


@admin.register(Role)
class RoleAdmin(SuperuserAdmin):
    list_display = ["name", "description", "holders", "allows"]
    search_fields = ["name", "description"]
    search_help_text = "Name or description"
    ordering = ["name"]
    sortable_by = ()
    list_per_page = 50
    delete_confirmation_template = "admin/deletion_confirmation.html"
    delete_selected_confirmation_template = "admin/deletion_selected_confirmation.html"
    actions = ["delete_selected"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Role]:
        # A subquery counts only for the rows of the page, through the index on group membership.
        held = User.groups.through.objects.filter(group=OuterRef("pk")).order_by().values("group")
        count = Subquery(held.annotate(count=Count("pk")).values("count"))  # type: ignore[misc]
        roles = super().get_queryset(request).annotate(holder_count=Coalesce(count, 0))
        return roles.prefetch_related("permissions__content_type")

    def get_fields(self, request: HttpRequest, obj: Role | None = None) -> tuple[str, ...]:
        may_change = self.has_change_permission(request, obj)
        return ("name", "description", "permissions" if may_change else "allows")

    # --- The list ---

    @admin.display(description="held by")
    def holders(self, role: CountedRole) -> SafeString:
        url = reverse("admin:accounts_user_changelist")
        return format_html('<a href="{}?role={}">{}</a>', url, role.pk, role.holder_count)

    @admin.display(description="allows")
    def allows(self, role: Role) -> SafeString | str:
        order = list(GRANTABLE)
        held = [permission for permission in role.permissions.all() if _name(permission) in GRANTABLE]
        held.sort(key=lambda permission: order.index(_name(permission)))
        lines = format_html_join("", "<li>{}</li>", [(_plain_words(permission),) for permission in held])
        return format_html('<ul class="plain">{}</ul>', lines) if held else "-"

    # --- A role's page ---

    def formfield_for_manytomany(
        self, db_field: ManyToManyField, request: HttpRequest, **kwargs: object
    ) -> forms.ModelMultipleChoiceField | None:
        if db_field.name == "permissions":
            kwargs["form_class"], kwargs["widget"] = IdChoicesField, Checkboxes
            kwargs["queryset"] = grantable()
        field = super().formfield_for_manytomany(db_field, request, **kwargs)
        if field is not None and db_field.name == "permissions":
            field.label_from_instance = _plain_words  # type: ignore[method-assign, assignment]
            field.label = "What it allows"
            field.help_text = "A role that allows anything opens the admin. It acts on the next request."
        return field

    def save_related(
        self, request: HttpRequest, form: forms.ModelForm, formsets: object, change: bool
    ) -> None:
        super().save_related(request, form, formsets, change)
        update_staff_flag(User.objects.filter(groups=form.instance.pk))

    # --- Deletion ---

    def get_deleted_objects(self, objs: Iterable[Role], request: HttpRequest) -> Any:
        # A summary of who loses what, in place of Django's list of rows.
        goes = [line for role in objs for line in self._loses(role)]
        stays = ["The accounts of those who hold it, with every other role"]
        return DeletionSummary(goes, stays), {}, set(), []

    def _loses(self, role: Role) -> list[str]:
        users = User.objects.filter(groups=role.pk)
        names = list(users.order_by("pk").values_list("username", flat=True)[: HOLDERS_SHOWN + 1])
        if not names:
            return [f"The role {role}, which nobody holds"]
        shown = ", ".join(names[:HOLDERS_SHOWN]) + (", ..." if len(names) > HOLDERS_SHOWN else "")
        holders = counted(users, "user", "users")
        return [f"The role {role}, which {holders} {'holds' if len(names) == 1 else 'hold'}: {shown}"] + (
            ["The admin, for those of them whom no other role lets in"] if role.permissions.exists() else []
        )

    def delete_model(self, request: HttpRequest, obj: Role) -> None:
        delete_role(obj, actor=actor_of(request))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Role]) -> None:
        for role in queryset:
            delete_role(role, actor=actor_of(request))

    @admin.action(description="Delete", permissions=["delete"])
    def delete_selected(self, request: HttpRequest, queryset: QuerySet[Role]) -> HttpResponse | None:
        return self.refuse_many(request, queryset) or delete_selected(self, request, queryset)
