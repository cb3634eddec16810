"""How the trail's pages show the values of before and after."""

import json
from typing import Any

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

register = template.Library()


@register.filter
def words(name: str) -> str:
    return name.replace("_", " ").capitalize()


@register.filter
def told(value: Any) -> SafeString | str:
    """A value of JSON, for people."""
    match value:
        case None | "" | []:
            return format_html('<span class="quiet">{}</span>', "none")
        case bool():
            return "yes" if value else "no"
        case list():
            return format_html(
                '<ul class="plain">{}</ul>', format_html_join("", "<li>{}</li>", [(one,) for one in value])
            )
        case dict():
            return json.dumps(value, ensure_ascii=False)
    return str(value)
