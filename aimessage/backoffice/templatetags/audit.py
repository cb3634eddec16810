"""Template tags of the audit trail's pages."""

import json

from django import template
from django.template import Context
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from aimessage.audit.models import Entry
from aimessage.backoffice.targets import page_of_target, page_url

register = template.Library()


@register.simple_tag(takes_context=True)
def target_url(context: Context, entry: Entry) -> str | None:
    page = page_of_target(entry, context["request"])
    if page is None or entry.kind == "delete":
        return None
    return page_url(page, "change", entry)


@register.filter
def words(name: str) -> str:
    return name.replace("_", " ").capitalize()


@register.filter
def readable(value: object) -> SafeString | str:
    """Shows a JSON value to people."""
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
