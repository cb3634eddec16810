from reports.admin.report import ReportAdmin

__all__ = ["ReportAdmin"]
