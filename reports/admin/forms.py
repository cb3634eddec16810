from typing import Any

from django import forms

from aimessage.backoffice.buttons import TextForm
from messaging.models import CONTENT_MAX_LENGTH
from reports.models import Report


class ReportForm(forms.ModelForm):
    """Saves only fields that this moderator changed, so that it keeps what another one did meanwhile.

    For that the page sends along the values that it showed.
    """

    class Meta:
        model = Report
        fields = ["status", "comment"]
        widgets = {"comment": forms.Textarea(attrs={"rows": 5})}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            field.show_hidden_initial = True


class CommentForm(TextForm):
    """The comment for resolving one report or many."""

    comment = forms.CharField(
        required=False,
        show_hidden_initial=True,
        max_length=CONTENT_MAX_LENGTH,
        widget=forms.Textarea(attrs={"rows": 5, "cols": 80}),
        help_text="The reporters can read this. Left empty, each report keeps the comment it has.",
    )

    @property
    def text(self) -> str | None:
        """The comment, None if it is as the page showed it."""
        return self.cleaned_data["comment"] if self.has_changed() else None
