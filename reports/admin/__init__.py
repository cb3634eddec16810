from reports.admin import people  # noqa: F401  adds to the pages about users
from reports.admin.report import ReportAdmin

__all__ = ["ReportAdmin"]
