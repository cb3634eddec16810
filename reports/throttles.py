from aimessage.api.throttles import UserThrottle


class ReportThrottle(UserThrottle):
    scope = "report"
