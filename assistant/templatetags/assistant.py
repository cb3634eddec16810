"""The assistant's warning on the admin's home page."""

from django import template
from django.conf import settings

from assistant.admin.profile import trouble_sentence
from assistant.models import Profile

register = template.Library()


@register.simple_tag
def assistant_trouble() -> str:
    if not settings.ASSISTANT.on:
        return ""
    profile = Profile.objects.exclude(trouble="").first()
    if profile is None:
        return ""
    return (
        f"{trouble_sentence(profile)}. Since {profile.trouble_at:%Y-%m-%d %H:%M} UTC nobody gets an answer."
    )
