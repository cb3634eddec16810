"""What the admin's lists need to stack their cells on a phone, where columns would be cut off."""

from collections.abc import Iterable, Mapping
from typing import Any

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.text import capfirst

register = template.Library()


@register.simple_tag
def labelled(cells: Iterable[str], headers: Iterable[Mapping[str, Any]]) -> SafeString:
    """The cells of a row as Django made them, each with its column's name as `data-label`."""
    named = zip(cells, [capfirst(str(header["text"])) for header in headers], strict=False)
    return format_html_join("", "{}", ((_with_label(cell, name),) for cell, name in named))


def _with_label(cell: str, name: str) -> SafeString:
    start, rest = cell[:3], cell[3:]
    # The first column ticks rows, and its name is a tick box.
    label = "" if "action-checkbox" in cell[:40] else format_html(' data-label="{}"', name)
    # Only the label is new; the rest is what Django made.
    return mark_safe(f"{start}{label}{rest}" if start in ("<td", "<th") else cell)  # noqa: S308
