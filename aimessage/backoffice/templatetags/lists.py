"""Labels for the cells of the admin's lists, which are stacked on phones."""

from collections.abc import Iterable, Mapping

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.text import capfirst

register = template.Library()


@register.simple_tag
def labelled(cells: Iterable[str], headers: Iterable[Mapping[str, object]]) -> SafeString:
    """The cells of a row, each with its column's name as `data-label`."""
    named = zip(cells, [capfirst(str(header["text"])) for header in headers], strict=False)
    return format_html_join("", "{}", ((_with_label(cell, name),) for cell, name in named))


def _with_label(cell: str, name: str) -> SafeString:
    start, rest = cell[:3], cell[3:]
    # The first column is a checkbox, and so is its header.
    label = "" if "action-checkbox" in cell[:40] else format_html(' data-label="{}"', name)
    # The label is escaped, and Django made the rest.
    return mark_safe(f"{start}{label}{rest}" if start in ("<td", "<th") else cell)  # noqa: S308
