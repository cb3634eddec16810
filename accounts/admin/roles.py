from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin  # noqa: F401  registers what a role replaces
from django.contrib.auth.models import Group, Permission
from django.db.models import Count, QuerySet
from django.http import HttpRequest

from accounts.models import Role, User
from accounts.services.roles import delete_role, settle_staff
from aimessage.admin import actor_of
from audit.pages import SuperuserAdmin

admin.site.unregister(Group)

#: The permissions that a role may hold; the rest is for superusers, or plumbing.
GRANTABLE = [
    "view_report",
    "change_report",
    "delete_report",
    "view_user",
    "view_role",
    "view_session",
    "view_failedlogin",
    "view_entry",
]


def _plain_words(permission: Permission) -> str:
    return permission.name


@admin.register(Role)
class RoleAdmin(SuperuserAdmin):
    list_display = ["name", "description", "holders"]
    search_fields = ["name", "description"]
    fields = ["name", "description", "permissions"]
    filter_horizontal = ["permissions"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Role]:
        return super().get_queryset(request).annotate(holder_count=Count("user"))

    @admin.display(description="held by", ordering="holder_count")
    def holders(self, role: Any) -> int:
        count: int = role.holder_count
        return count

    def formfield_for_manytomany(self, db_field: Any, request: Any = None, **kwargs: Any) -> Any:
        field = super().formfield_for_manytomany(db_field, request, **kwargs)
        if field is not None and db_field.name == "permissions":
            field.queryset = Permission.objects.filter(
                codename__in=GRANTABLE, content_type__app_label__in=["accounts", "reports", "audit"]
            )
            field.label_from_instance = _plain_words  # type: ignore[method-assign, assignment]
        return field

    def save_related(self, request: HttpRequest, form: forms.ModelForm, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        settle_staff(User.objects.filter(groups=form.instance.pk))

    def delete_model(self, request: HttpRequest, obj: Role) -> None:
        delete_role(obj, actor=actor_of(request))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Role]) -> None:
        for role in queryset:
            delete_role(role, actor=actor_of(request))
