"""What the admin's pages need and the audit trail has no part in; pages.py has the rest."""

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
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils.text import capfirst

from aimessage.db.ids import is_id

#: Objects that one action may touch: what somebody can read through before confirming.
BULK_LIMIT = 200
#: Rows that a list counts, and leads to page by page; what lies beyond is for the filters and the search.
COUNT_LIMIT = 10_000
#: The same for a search, which has to find its matches first.
FOUND_LIMIT = 1000
#: Characters, and words, of a search.
SEARCH_MAX_LENGTH = 255
WORDS_SEARCHED = 8
#: The field by which a confirmation page says that it was confirmed.
CONFIRMED = "confirmed"


class Question(NamedTuple):
    """What a confirmation page asks before an action touches several objects."""

    #: The action's name.
    action: str
    #: With {} for "3 users".
    ask: str
    #: Stands over the objects that will be touched.
    will: str
    #: Completes "they are ..." for those that will not.
    left: str


class BoundedPaginator(Paginator):
    """Counts no further than `limit`, so that a list costs the same however long it is."""

    def __init__(self, *args: Any, limit: int, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.limit = limit

    @cached_property
    def count(self) -> int:
        return min(self._seen, self.limit)

    @property
    def is_cut(self) -> bool:
        """Whether there are more than `count`."""
        return self._seen > self.limit

    @cached_property
    def _seen(self) -> int:
        rows: Any = self.object_list
        return count_up_to(rows, self.limit + 1)


def count_up_to(rows: QuerySet[Any], limit: int) -> int:
    """How many `rows` there are, at most `limit`."""
    return rows.order_by()[:limit].count()


class SearchForm(ChangeListSearchForm):
    """Django's own search makes a condition of each word; databases limit how many there may be."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields[SEARCH_VAR] = forms.CharField(
            required=False, strip=False, max_length=SEARCH_MAX_LENGTH, validators=[_check_words]
        )


class BoundedChangeList(ChangeList):
    search_form_class = SearchForm

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Django's own asks to select something to change, also where nothing can be changed.
        self.title = capfirst(str(self.opts.verbose_name_plural))


def _check_words(text: str) -> None:
    if len(text.split()) > WORDS_SEARCHED:
        raise ValidationError(f"Search for at most {WORDS_SEARCHED} words.", code="too_many_words")


class Checkboxes(forms.CheckboxSelectMultiple):
    """A few to pick from, without JavaScript."""

    def __init__(self, attrs: dict[str, Any] | None = None, **kwargs: Any) -> None:
        super().__init__({"class": "checkboxes", **(attrs or {})}, **kwargs)


def is_numbered(opts: Any) -> bool:
    """Whether the ids of a model are numbers; one that extends another has the other's."""
    pk = opts.pk
    return isinstance(pk.target_field if pk.is_relation else pk, IntegerField)


class IdChoicesField(forms.ModelMultipleChoiceField):
    """Takes ids alone; Django's own asks the database for numbers that no column holds."""

    def clean(self, value: Any) -> Any:
        for pk in value or []:
            if not is_id(str(pk)):
                raise ValidationError(self.error_messages["invalid_pk_value"], params={"pk": pk})
        return super().clean(value)


class IdChoiceField(forms.ModelChoiceField):
    """The same of one."""

    def to_python(self, value: object) -> Any:
        if value not in self.empty_values and not is_id(str(value)):
            raise ValidationError(self.error_messages["invalid_choice"], code="invalid_choice")
        return super().to_python(value)


class OfferedLookupsAdmin(ModelAdmin):
    """A list that can be filtered by what the pages offer, and by nothing else, and acted on by its ids.

    Django's own rule lets every column and relation of the model through: `?password__startswith=` would
    tell a hash letter by letter.
    """

    #: Look-ups in the address to which another page leads.
    linked_lookups: list[str] = []

    def lookup_allowed(self, lookup: str, value: object, request: HttpRequest | None = None) -> bool:
        if request is None:
            return lookup in self.linked_lookups
        # ChangeList asks about each parameter and value; filters by role or act may read the database.
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
        # No ids: Django would ask the database for an object called "x".
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

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        try:
            return super().get_changelist_instance(request)
        except (ValueError, OverflowError) as error:  # the year 9999, after which there is none
            raise IncorrectLookupParameters from error


class AskingAdmin(ModelAdmin):
    """A list that counts no further than it must, with actions that ask for confirmation."""

    show_full_result_count = False
    #: What a list says that has nothing in it.
    when_empty = ""

    def get_changelist(self, request: HttpRequest, **kwargs: object) -> type[ChangeList]:
        return BoundedChangeList

    #: What a confirmation page shows of each object, by names as in `list_display`.
    confirm_display: list[str] = ["__str__"]

    def seen_of(self, obj: Any) -> str:
        """What a confirmation page sends along as `seen-<id>`, for who wants to know what it showed."""
        return ""

    def get_paginator(self, request: HttpRequest, *args: object, **kwargs: object) -> BoundedPaginator:
        limit = FOUND_LIMIT if request.GET.get(SEARCH_VAR, "").strip() else COUNT_LIMIT
        return BoundedPaginator(*args, limit=limit, **kwargs)

    def confirm(
        self,
        request: HttpRequest,
        question: Question,
        *,
        selected: QuerySet[Any],
        touched: QuerySet[Any],
        form: forms.Form | None = None,
    ) -> HttpResponse | None:
        """The page that lists what an action will touch of what was `selected`, and what it leaves as it is.

        None once that was confirmed, and `form` filled in well: then the action goes on.
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

    def refuse_many(self, request: HttpRequest, selected: QuerySet[Any]) -> HttpResponse | None:
        """The way back for an action that would touch more than BULK_LIMIT objects."""
        if count_up_to(selected, BULK_LIMIT + 1) <= BULK_LIMIT:
            return None
        messages.error(request, f"Select at most {self.counted(BULK_LIMIT)} at a time.")
        return redirect(request.get_full_path())

    def _cells(self, obj: Model) -> Iterable[tuple[str, bool]]:
        """What the columns of a confirmation page say of `obj`, each with whether it leads to its page."""
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
    """A page to look at. What may be done there is an action of its own."""

    def has_add_permission(self, request: HttpRequest, *args: object) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def actor_of(request: HttpRequest) -> Any:
    """Who acts; the admin lets nobody in who is not logged in."""
    return request.user


def is_superuser(request: HttpRequest) -> bool:
    return bool(request.user.is_active and request.user.is_superuser)
