from aimessage.api.throttles import Throttle


class LoginThrottle(Throttle):
    scope = "login"


class RegisterThrottle(Throttle):
    scope = "register"


class RefreshThrottle(Throttle):
    scope = "refresh"


class MailThrottle(Throttle):
    """Counts requests that have a mail sent."""

    scope = "mail"


class ConfirmThrottle(Throttle):
    """Counts requests that show what a mail carried."""

    scope = "confirm"
