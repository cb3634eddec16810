from collections.abc import Iterable
from functools import partial
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.actions import delete_selected
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.db.models import Exists, ManyToManyField, OuterRef, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html_join
from django.utils.safestring import SafeString, mark_safe

from accounts.admin.extensions import DeletionSummary, deletion_summaries, filters, panels
from accounts.admin.filters import LastLoginFilter, LockedOutFilter, RoleFilter
from accounts.admin.forms import (
    ROLE_HELP,
    OwnPasswordForm,
    PasswordForm,
    RoleForm,
    UserCreationForm,
    UserForm,
)
from accounts.admin.panels import BUTTONS
from accounts.admin.second_factor import require_second_factor
from accounts.events import EndReason
from accounts.guesses import locked_users, lockouts_of, unlock_everywhere
from accounts.models import PersonalToken, Session, User
from accounts.querysets import UserQuerySet
from accounts.services.codes import has_second_factor
from accounts.services.leaving import find_pending
from accounts.services.recovery import replace_address
from accounts.services.roles import assign_roles, give_role
from accounts.services.sessions import log_out_everywhere
from accounts.services.users import (
    delete_user,
    disable_user,
    enable_user,
    grant_superuser,
    save_unique,
    withdraw_superuser,
)
from aimessage.audit.states import State
from aimessage.backoffice.buttons import ButtonsAdmin
from aimessage.backoffice.lists import CONFIRMED, Checkboxes, IdChoicesField, Question, actor_of
from aimessage.backoffice.pages import SuperuserAdmin

admin.site.password_change_form = OwnPasswordForm
admin.site.gate = require_second_factor  # type: ignore[attr-defined]

DISABLE = Question(
    "disable",
    "Disable {}?",
    "These can no longer log in, and every session of theirs ends:",
    "disabled already, or yourself",
)
GRANT = Question(
    "grant_superuser", "Make {} superuser?", "These may then do everything here:", "superusers already"
)
WITHDRAW = Question(
    "withdraw_superuser",
    "Withdraw superuser from {}?",
    "These keep the admin only where a role opens it:",
    "no superusers, or yourself",
)
END = Question(
    "end_sessions", "End every session of {}?", "These are logged out on every device:", "logged in nowhere"
)
GIVE = Question("give_role", "Give a role to {}?", "These will hold the role:", "")


@admin.register(User)
class UserAdmin(SuperuserAdmin, ButtonsAdmin, DjangoUserAdmin):
    """Saves every change through the services, which hold the rules."""

    buttons = BUTTONS
    add_form = UserCreationForm
    change_password_form = PasswordForm
    form = UserForm
    list_display = ["username", "full_name", "email", "roles", "standing", "last_login"]
    list_filter = ["is_active", "is_superuser", "is_staff", RoleFilter, LockedOutFilter, LastLoginFilter]
    linked_lookups = ["created_at__gte"]
    # By primary key. Any other order would have to sort all users.
    ordering = ["-pk"]
    sortable_by = ()
    search_fields = ["username"]  # only shows the box; see found_by
    search_help_text = "What a username, e-mail address or name begins with; a phone number; an id"
    show_facets = admin.ShowFacets.NEVER
    filter_horizontal = ()
    readonly_fields = ["kind", "is_staff", "last_login", "created_at", "updated_at"]
    fieldsets = [
        (None, {"fields": ["username", "password"]}),
        ("Profile", {"fields": ["full_name", "email", "phone_number", "bio"]}),
        ("Access", {"fields": ["kind", "is_active", "is_superuser", "groups", "is_staff"]}),
        ("Dates", {"fields": ["last_login", "created_at", "updated_at"]}),
    ]
    add_fieldsets = [
        (None, {"fields": ["username", "email", "password1", "password2"]}),
        ("Profile", {"fields": ["full_name", "phone_number"]}),
        ("Access", {"fields": ["is_superuser", "groups"]}),
    ]
    actions = [
        "disable",
        "enable",
        "unlock",
        "end_sessions",
        "give_role",
        "grant_superuser",
        "withdraw_superuser",
        "delete_selected",
    ]
    delete_confirmation_template = "admin/deletion_confirmation.html"
    delete_selected_confirmation_template = "admin/deletion_selected_confirmation.html"
    confirm_display = ["username", "full_name", "email", "roles", "standing"]
    list_per_page = 50
    audit_texts = ["bio"]

    def state_of(self, obj: User) -> State:
        state = super().state_of(obj)
        del state["admin_epoch"]
        pending = find_pending(obj)
        return {
            **state,
            "live_sessions": Session.objects.live().filter(user=obj).count(),
            "second_factor": has_second_factor(obj),
            "personal_tokens": PersonalToken.objects.live().filter(user=obj).count(),
            "locked_out_from": [lockout.client for lockout in lockouts_of(obj)],
            "deletion_at": pending.deletion_at.isoformat(timespec="seconds") if pending else None,
        }

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        return super().get_queryset(request).prefetch_related("groups")

    def get_list_filter(self, request: HttpRequest) -> Any:
        return [*super().get_list_filter(request), *filters]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[User], search_term: str
    ) -> tuple[QuerySet[User], bool]:
        found: UserQuerySet = queryset  # type: ignore[assignment]
        return (found.found_by(search_term) if search_term.strip() else found), False

    def formfield_for_manytomany(
        self, db_field: ManyToManyField, request: HttpRequest, **kwargs: object
    ) -> forms.ModelMultipleChoiceField | None:
        if db_field.name == "groups":
            kwargs["form_class"], kwargs["widget"] = IdChoicesField, Checkboxes
        field = super().formfield_for_manytomany(db_field, request, **kwargs)
        if field is not None and db_field.name == "groups":
            field.label, field.help_text = "Roles", ROLE_HELP
        return field

    def save_model(self, request: HttpRequest, obj: User, form: forms.ModelForm, change: bool) -> None:
        actor = actor_of(request)
        if not change:
            superuser, obj.is_superuser = obj.is_superuser, False
            save_unique(obj)
            if superuser:
                grant_superuser(obj, actor=actor)
            return
        services = {"email", "is_active", "is_superuser", "groups"}
        plain = [name for name in form.changed_data if name not in services]
        if plain:
            save_unique(obj, fields=[*plain, "updated_at"])
        if "email" in form.changed_data:
            replace_address(obj, obj.email)
        stored = User.objects.get(pk=obj.pk)
        if "is_active" in form.changed_data:
            (enable_user if obj.is_active else disable_user)(stored, actor=actor)
        if "is_superuser" in form.changed_data:
            (grant_superuser if obj.is_superuser else withdraw_superuser)(stored, actor=actor)

    def save_related(
        self, request: HttpRequest, form: forms.ModelForm, formsets: object, change: bool
    ) -> None:
        if "groups" in form.changed_data:
            assign_roles(form.instance, form.cleaned_data["groups"], actor=actor_of(request))

    @admin.display(description="roles")
    def roles(self, user: User) -> str:
        return ", ".join(role.name for role in user.groups.all()) or "-"

    @admin.display(description="account")
    def standing(self, user: User) -> SafeString:
        badges = [("disabled", "Disabled")] * (not user.is_active)
        badges += [("kind", user.get_kind_display())] * (user.kind != User.Kind.PERSON)
        badges += [("superuser", "Superuser")] * user.is_superuser
        badges += [("staff", "Staff")] * (user.is_staff and not user.is_superuser)
        return format_html_join(" ", '<span class="badge {}">{}</span>', badges) or mark_safe("Active")

    # --- A user's page ---

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, object],
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: User | None = None,
    ) -> HttpResponse:
        if obj is not None:
            loaded = [(panel, panel.load(request, obj)) for panel in panels]
            context["panels"] = [
                {"title": panel.title, "template": panel.template, **data}
                for panel, data in loaded
                if data is not None
            ]
        return super().render_change_form(request, context, add, change, form_url, obj)

    # --- Deletion ---

    def get_deleted_objects(self, objs: Iterable[User], request: HttpRequest) -> Any:
        # A summary, in place of Django's list of everything that the user ever wrote.
        users = [user.pk for user in objs]
        return sum((summary(users) for summary in deletion_summaries), DeletionSummary()), {}, set(), []

    def delete_model(self, request: HttpRequest, obj: User) -> None:
        delete_user(obj, actor=actor_of(request))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        for user in queryset:
            delete_user(user, actor=actor_of(request))

    @admin.action(description="Delete", permissions=["delete"])
    def delete_selected(self, request: HttpRequest, queryset: UserQuerySet) -> HttpResponse | None:
        return self.refuse_many(request, queryset) or delete_selected(self, request, queryset)

    # --- Actions ---

    @admin.action(description="Disable, and end every session", permissions=["change"])
    def disable(self, request: HttpRequest, queryset: UserQuerySet) -> HttpResponse | None:
        actor = actor_of(request)
        touched = queryset.active().exclude(pk=actor.pk)
        if page := self.confirm(request, DISABLE, selected=queryset, touched=touched):
            return page
        disable = partial(disable_user, actor=actor)
        self.act_on_each(request, queryset, disable, "user.disabled", "disabled")
        return None

    @admin.action(description="Enable", permissions=["change"])
    def enable(self, request: HttpRequest, queryset: UserQuerySet) -> HttpResponse | None:
        if refusal := self.refuse_many(request, queryset):
            return refusal
        enable = partial(enable_user, actor=actor_of(request))
        self.act_on_each(request, queryset, enable, "user.enabled", "enabled")
        return None

    @admin.action(description="Lift lockouts", permissions=["change"])
    def unlock(self, request: HttpRequest, queryset: UserQuerySet) -> HttpResponse | None:
        if refusal := self.refuse_many(request, queryset):
            return refusal
        locked = queryset.filter(pk__in=locked_users())
        if not locked:
            messages.info(request, "None of the selected users is locked out.")
        unlock = partial(unlock_everywhere, by=actor_of(request).pk)
        self.act_on_each(request, locked, unlock, "user.unlocked", "unlocked")
        return None

    @admin.action(description="End every session", permissions=["change"])
    def end_sessions(self, request: HttpRequest, queryset: UserQuerySet) -> HttpResponse | None:
        # Staff may be logged in to the admin, which has no Session row.
        live = Exists(Session.objects.live().filter(user=OuterRef("pk")))
        touched = queryset.filter(live | Q(is_staff=True))
        if page := self.confirm(request, END, selected=queryset, touched=touched):
            return page
        end = partial(
            log_out_everywhere, reason=EndReason.ADMIN, note=f"ended by user {actor_of(request).pk}"
        )
        self.act_on_each(request, queryset, end, "user.logged_out_everywhere", "logged out everywhere")
        return None

    @admin.action(description="Give a role", permissions=["change"])
    def give_role(self, request: HttpRequest, queryset: UserQuerySet) -> HttpResponse | None:
        form = RoleForm(request.POST if CONFIRMED in request.POST else None)
        if page := self.confirm(request, GIVE, selected=queryset, touched=queryset, form=form):
            return page
        role = form.cleaned_data["role"]
        give = partial(give_role, role=role, actor=actor_of(request))
        self.act_on_each(request, queryset, give, "user.role_given", f"given the role {role}")
        return None

    @admin.action(description="Make superuser", permissions=["change"])
    def grant_superuser(self, request: HttpRequest, queryset: UserQuerySet) -> HttpResponse | None:
        touched = queryset.persons().filter(is_superuser=False)
        if page := self.confirm(request, GRANT, selected=queryset, touched=touched):
            return page
        grant = partial(grant_superuser, actor=actor_of(request))
        self.act_on_each(request, queryset, grant, "user.made_superuser", "made superuser")
        return None

    @admin.action(description="Withdraw superuser", permissions=["change"])
    def withdraw_superuser(self, request: HttpRequest, queryset: UserQuerySet) -> HttpResponse | None:
        actor = actor_of(request)
        touched = queryset.filter(is_superuser=True).exclude(pk=actor.pk)
        if page := self.confirm(request, WITHDRAW, selected=queryset, touched=touched):
            return page
        withdraw = partial(withdraw_superuser, actor=actor)
        self.act_on_each(request, queryset, withdraw, "user.demoted", "demoted")
        return None
