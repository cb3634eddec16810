from django_filters import rest_framework as filters

from aimessage.api.lists.filters import ListFilterSet
from assistant.models import Reply


class ReplyFilter(ListFilterSet):
    state = filters.ChoiceFilter(choices=Reply.State.choices, label="In this state.")

    class Meta:
        model = Reply
        fields: list[str] = []
