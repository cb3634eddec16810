from django.contrib import admin

from aimessage.admin import ReadOnlyAdmin
from audit.models import Entry
from audit.pages import AuditedAdmin


@admin.register(Entry)
class EntryAdmin(ReadOnlyAdmin, AuditedAdmin):
    list_display = ["created_at", "actor_name", "sentence", "target_label", "address"]
    show_full_result_count = False
