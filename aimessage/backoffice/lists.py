"""Base classes of the admin's pages, without the audit trail, which is in pages.py."""

from collections.abc import Iterable
from functools import cached_property
from typing import Any, NamedTuple

from django import forms
from django.contrib import messages
from django.contrib.admin import ModelAdmin, SimpleListFilter
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.utils import display_for_field, display_for_value, label_for_field, lookup_field
from django.contrib.admin.views.main import SEARCH_VAR, ChangeList, ChangeListSearchForm
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.db.models import IntegerField, Model, QuerySet
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils.text import capfirst

from aimessage.db.ids import is_id

#: Objects that one action may touch: as many as somebody can read before confirming.
BULK_LIMIT = 200
#: Rows that a list counts and pages through. Filters and the search reach the others.
COUNT_LIMIT = 10_000
#: The same for searches, which take longer.
FOUND_LIMIT = 1000
SEARCH_MAX_LENGTH = 255
WORDS_SEARCHED = 8
#: The field that a confirmation page sends.
CONFIRMED = "confirmed"


class Question(NamedTuple):
    """The texts of a confirmation page, before an action on several objects."""

    #: The action's name.
    action: str
    #: With {} for "3 users".
    ask: str
    #: The heading of the objects that will be touched.
    will: str
    #: Completes "they are ..." for the other objects.
    left: str


class BoundedPaginator(Paginator):
    """Counts at most `limit` rows, so that a list costs the same however long it is."""

    limit: int

    @cached_property
    def count(self) -> int:
        return min(self._seen, self.limit)

    @property
    def is_cut(self) -> bool:
        return self._seen > self.limit

    @cached_property
    def _seen(self) -> int:
        rows: Any = self.object_list
        return count_up_to(rows, self.limit + 1)


def count_up_to(rows: QuerySet[Model], limit: int) -> int:
    return rows.order_by()[:limit].count()


class SearchForm(ChangeListSearchForm):
    """Limits the words of a search: Django makes a condition of each, and databases limit conditions."""

    def __init__(self, data: QueryDict) -> None:
        super().__init__(data)
        self.fields[SEARCH_VAR] = forms.CharField(
            required=False, strip=False, max_length=SEARCH_MAX_LENGTH, validators=[_check_words]
        )


class BoundedChangeList(ChangeList):
    search_form_class = SearchForm

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Django's title says "Select … to change", even if nothing can be changed.
        self.title = capfirst(str(self.opts.verbose_name_plural))


def _check_words(text: str) -> None:
    if len(text.split()) > WORDS_SEARCHED:
        raise ValidationError(f"Search for at most {WORDS_SEARCHED} words.", code="too_many_words")


class Checkboxes(forms.CheckboxSelectMultiple):
    def __init__(self) -> None:
        super().__init__({"class": "checkboxes"})


def is_numbered(opts: Any) -> bool:
    """Whether the primary key is an integer, also through multi-table inheritance."""
    pk = opts.pk
    return isinstance(pk.target_field if pk.is_relation else pk, IntegerField)


class IdChoicesField(forms.ModelMultipleChoiceField):
    """Refuses numbers that no column holds; Django's own field passes them to the database, which fails."""

    def clean(self, value: Iterable[object] | None) -> QuerySet[Model]:
        for pk in value or []:
            if not is_id(str(pk)):
                raise ValidationError(self.error_messages["invalid_pk_value"], params={"pk": pk})
        return super().clean(value)


class IdChoiceField(forms.ModelChoiceField):
    """The same for a single object."""

    def to_python(self, value: object) -> Model | None:
        if value not in self.empty_values and not is_id(str(value)):
            raise ValidationError(self.error_messages["invalid_choice"], code="invalid_choice")
        return super().to_python(value)


class OfferedLookupsAdmin(ModelAdmin):
    """A list that accepts only the filters that it offers, and only valid ids in actions.

    Django accepts every column and relation of the model: `?password__startswith=` would reveal a hash letter
    by letter.
    """

    #: Lookups in URLs to which other pages link.
    linked_lookups: list[str] = []

    def lookup_allowed(self, lookup: str, value: object, request: HttpRequest | None = None) -> bool:
        if request is None:
            return lookup in self.linked_lookups
        # Computed once per request: ChangeList asks for each parameter, and some filters read the database.
        offered = request.__dict__.setdefault("_offered_lookups", {})
        if self not in offered:
            offered[self] = set(self._offered(request))
        return lookup in offered[self]

    def _offered(self, request: HttpRequest) -> Iterable[str]:
        yield from self.linked_lookups
        if self.date_hierarchy:
            yield from (f"{self.date_hierarchy}__{part}" for part in ("year", "month", "day"))
        for offered in self.get_list_filter(request):
            if not isinstance(offered, type):
                field = offered[0] if isinstance(offered, tuple | list) else offered
                yield from (f"{field}__exact", f"{field}__isnull")
            elif issubclass(offered, SimpleListFilter):
                yield str(offered.parameter_name)
            else:
                yield from offered.parameter_names  # type: ignore[attr-defined]

    def response_action(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse | None:
        # Drops what is no id: Django would pass "x" to the database, which fails.
        sent = request.POST.copy()
        numbered = is_numbered(self.opts)
        chosen = [
            pk for pk in sent.getlist(ACTION_CHECKBOX_NAME) if (is_id(pk) if numbered else self._is_key(pk))
        ]
        sent.setlist(ACTION_CHECKBOX_NAME, chosen)
        request.POST = sent  # type: ignore[assignment]
        answer: HttpResponse | None = super().response_action(request, *args, **kwargs)
        return answer

    def _is_key(self, text: str) -> bool:
        try:
            self.opts.pk.to_python(text)
        except ValidationError:
            return False
        return True

    def get_changelist_instance(self, request: HttpRequest) -> ChangeList:
        try:
            return super().get_changelist_instance(request)
        except (ValueError, OverflowError) as error:  # such as the year 9999, since the filter adds one
            raise IncorrectLookupParameters from error


class AskingAdmin(ModelAdmin):
    """A list with a bounded count, and with actions that ask for confirmation."""

    show_full_result_count = False
    #: The text of an empty list.
    when_empty = ""

    def get_changelist(self, request: HttpRequest, **kwargs: object) -> type[ChangeList]:
        return BoundedChangeList

    #: The columns of a confirmation page, as in `list_display`.
    confirm_display: list[str] = ["__str__"]

    def seen_of(self, obj: Any) -> str:
        """The value of the field `seen-<id>` on a confirmation page, to detect that it was out of date."""
        return ""

    def get_paginator(
        self,
        request: HttpRequest,
        queryset: QuerySet[Model],
        per_page: int,
        orphans: int = 0,
        allow_empty_first_page: bool = True,
    ) -> BoundedPaginator:
        paginator = BoundedPaginator(queryset, per_page, orphans, allow_empty_first_page)
        paginator.limit = FOUND_LIMIT if request.GET.get(SEARCH_VAR, "").strip() else COUNT_LIMIT
        return paginator

    def confirm(
        self,
        request: HttpRequest,
        question: Question,
        *,
        selected: QuerySet[Model],
        touched: QuerySet[Model],
        form: forms.Form | None = None,
    ) -> HttpResponse | None:
        """A page that lists the `selected` objects that an action will touch, and counts the others.

        None when it was confirmed and `form` is valid: then the action goes on.
        """
        if refusal := self.refuse_many(request, selected):
            return refusal
        if CONFIRMED in request.POST and (form is None or form.is_valid()):
            return None
        objects = list(touched)
        if not objects:
            plural = self.opts.verbose_name_plural
            messages.warning(request, f"Nothing to do: the selected {plural} are {question.left}.")
            return redirect(request.get_full_path())
        context = {
            **self.admin_site.each_context(request),
            "title": question.ask.format(self.counted(len(objects))),
            "opts": self.opts,
            "question": question,
            "columns": [label_for_field(name, self.model, self) for name in self.confirm_display],
            "rows": [(obj, self.seen_of(obj), list(self._cells(obj))) for obj in objects],
            "left": selected.count() - len(objects),
            "form": form,
            "checkbox": ACTION_CHECKBOX_NAME,
            "confirmed": CONFIRMED,
        }
        return TemplateResponse(request, "admin/confirm.html", context)

    def refuse_many(self, request: HttpRequest, selected: QuerySet[Model]) -> HttpResponse | None:
        if count_up_to(selected, BULK_LIMIT + 1) <= BULK_LIMIT:
            return None
        messages.error(request, f"Select at most {self.counted(BULK_LIMIT)} at a time.")
        return redirect(request.get_full_path())

    def _cells(self, obj: Model) -> Iterable[tuple[str, bool]]:
        """The cells of `obj` on a confirmation page, each with whether it links to the object's page."""
        links = self.list_display_links or self.confirm_display[:1]
        for name in self.confirm_display:
            field, attribute, value = lookup_field(name, obj, self)
            empty = getattr(attribute, "empty_value_display", self.get_empty_value_display())
            shown = display_for_field(value, field, empty) if field else display_for_value(value, empty)
            yield shown, name in links

    def counted(self, count: int) -> str:
        noun = self.opts.verbose_name if count == 1 else self.opts.verbose_name_plural
        return f"{count} {noun}"


class ReadOnlyAdmin(ModelAdmin):
    """A page without forms. Whatever can be done there is an action."""

    def has_add_permission(self, request: HttpRequest, *args: object) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


def actor_of(request: HttpRequest) -> Any:
    # An accounts.User, which this package cannot import. Never anonymous: the admin requires a login.
    return request.user


def is_superuser(request: HttpRequest) -> bool:
    return bool(request.user.is_active and request.user.is_superuser)
