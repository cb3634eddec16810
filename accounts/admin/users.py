from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth import forms as auth_forms
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from accounts.models import Session, User
from accounts.querysets import UserQuerySet
from accounts.services.roles import assign_roles
from accounts.services.sessions import log_out_everywhere
from accounts.services.users import (
    delete_user,
    disable_user,
    enable_user,
    grant_superuser,
    save_unique,
    set_password,
    withdraw_superuser,
)
from aimessage.admin import actor_of
from audit.pages import SuperuserAdmin
from audit.states import State


class UserCreationForm(auth_forms.UserCreationForm):
    class Meta:
        model = User
        fields = ["username", "email", "full_name", "phone_number", "is_superuser", "groups"]


class PasswordForm(auth_forms.AdminPasswordChangeForm):
    """Sets a password, and so ends the user's sessions."""

    def save(self, commit: bool = True) -> User:
        set_password(self.user, self.cleaned_data["password1"])
        user: User = self.user
        return user


class RoleFilter(admin.RelatedFieldListFilter):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.title = "role"


@admin.register(User)
class UserAdmin(SuperuserAdmin, DjangoUserAdmin):
    """What the form changes goes through the services, each of which has its own rules."""

    add_form = UserCreationForm
    change_password_form = PasswordForm
    list_display = [
        "username",
        "full_name",
        "email",
        "roles",
        "is_active",
        "is_superuser",
        "last_login",
    ]
    list_filter = ["is_active", "is_superuser", "is_staff", ("groups", RoleFilter), "last_login"]
    search_fields = ["username", "email", "full_name", "phone_number"]
    search_help_text = "Username, e-mail address, name or phone number"
    ordering = ["-pk"]
    filter_horizontal = ["groups"]
    readonly_fields = ["is_staff", "last_login", "created_at", "updated_at", "live_sessions"]
    fieldsets = [
        (None, {"fields": ["username", "password"]}),
        ("Profile", {"fields": ["full_name", "email", "phone_number", "bio"]}),
        ("Access", {"fields": ["is_active", "is_superuser", "groups", "is_staff"]}),
        ("Sessions", {"fields": ["live_sessions"]}),
        ("Dates", {"fields": ["last_login", "created_at", "updated_at"]}),
    ]
    add_fieldsets = [
        (None, {"fields": ["username", "email", "password1", "password2"]}),
        ("Profile", {"fields": ["full_name", "phone_number"]}),
        ("Access", {"fields": ["is_superuser", "groups"]}),
    ]
    actions = ["disable", "enable", "grant_superuser", "withdraw_superuser", "end_sessions"]
    list_per_page = 50
    audit_texts = ["bio"]

    def state_of(self, obj: User) -> State:
        return {**super().state_of(obj), "live_sessions": Session.objects.live().filter(user=obj).count()}

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        return super().get_queryset(request).prefetch_related("groups")

    def formfield_for_manytomany(self, db_field: Any, request: Any = None, **kwargs: Any) -> Any:
        field = super().formfield_for_manytomany(db_field, request, **kwargs)
        if field is not None and db_field.name == "groups":
            field.label, field.help_text = "Roles", "A role with permissions opens the admin."
        return field

    def save_model(self, request: HttpRequest, obj: User, form: forms.ModelForm, change: bool) -> None:
        actor = actor_of(request)
        if not change:
            superuser, obj.is_superuser = obj.is_superuser, False
            save_unique(obj)
            if superuser:
                grant_superuser(obj, actor=actor)
            return
        services = {"is_active", "is_superuser", "groups"}
        plain = [name for name in form.changed_data if name not in services]
        if plain:
            save_unique(obj, fields=[*plain, "updated_at"])
        stored = User.objects.get(pk=obj.pk)
        if obj.is_active != stored.is_active:
            (enable_user if obj.is_active else disable_user)(stored, actor=actor)
        if obj.is_superuser != stored.is_superuser:
            (grant_superuser if obj.is_superuser else withdraw_superuser)(stored, actor=actor)

    def save_related(self, request: HttpRequest, form: forms.ModelForm, formsets: Any, change: bool) -> None:
        if "groups" in form.changed_data:
            assign_roles(form.instance, form.cleaned_data["groups"], actor=actor_of(request))

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Sessions go with their user, although nobody may delete one by itself."""
        shown, counts, forbidden, protected = super().get_deleted_objects(objs, request)
        return shown, counts, forbidden - {Session._meta.verbose_name}, protected

    def delete_model(self, request: HttpRequest, obj: User) -> None:
        delete_user(obj, actor=actor_of(request))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        for user in queryset:
            delete_user(user, actor=actor_of(request))

    @admin.display(description="roles")
    def roles(self, user: User) -> str:
        return ", ".join(role.name for role in user.groups.all()) or "-"

    @admin.display(description="live sessions")
    def live_sessions(self, user: User) -> SafeString | str:
        sessions = Session.objects.live().filter(user=user)
        if not sessions:
            return "None"
        rows = [
            (session.device_info or "unknown device", session.ip_address or "-", session.last_used_at)
            for session in sessions
        ]
        lines = format_html_join("", "<li>{} · {} · last used {:%Y-%m-%d %H:%M} UTC</li>", rows)
        url = f"{reverse('admin:accounts_session_changelist')}?user__id__exact={user.pk}"
        return format_html('<ul class="plain">{}</ul><a href="{}">See and end them</a>', lines, url)

    @admin.action(description="Disable, and end every session", permissions=["change"])
    def disable(self, request: HttpRequest, queryset: UserQuerySet) -> None:
        self.act_on_each(
            request, queryset, lambda user: disable_user(user, actor=actor_of(request)), "disabled"
        )

    @admin.action(description="Enable", permissions=["change"])
    def enable(self, request: HttpRequest, queryset: UserQuerySet) -> None:
        self.act_on_each(
            request, queryset, lambda user: enable_user(user, actor=actor_of(request)), "enabled"
        )

    @admin.action(description="Make superuser", permissions=["change"])
    def grant_superuser(self, request: HttpRequest, queryset: UserQuerySet) -> None:
        self.act_on_each(
            request, queryset, lambda user: grant_superuser(user, actor=actor_of(request)), "made superuser"
        )

    @admin.action(description="Withdraw superuser", permissions=["change"])
    def withdraw_superuser(self, request: HttpRequest, queryset: UserQuerySet) -> None:
        self.act_on_each(
            request, queryset, lambda user: withdraw_superuser(user, actor=actor_of(request)), "demoted"
        )

    @admin.action(description="End every session", permissions=["change"])
    def end_sessions(self, request: HttpRequest, queryset: UserQuerySet) -> None:
        self.act_on_each(
            request,
            queryset,
            lambda user: log_out_everywhere(user, reason=f"ended by user {request.user.pk}"),
            "logged out everywhere",
        )
