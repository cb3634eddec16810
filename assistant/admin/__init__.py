from assistant.admin import people, reports  # noqa: F401  add to the pages about users and reports
from assistant.admin.profile import ProfileAdmin
from assistant.admin.records import ReplyAdmin, UsageAdmin

__all__ = ["ProfileAdmin", "ReplyAdmin", "UsageAdmin"]
