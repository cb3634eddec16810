from aimessage.api.throttles import Throttle


class LoginThrottle(Throttle):
    scope = "login"


class RegisterThrottle(Throttle):
    scope = "register"


class RefreshThrottle(Throttle):
    scope = "refresh"


class MailThrottle(Throttle):
    """Limits requests that send a mail."""

    scope = "mail"


class ConfirmThrottle(Throttle):
    """Limits requests that try a link or code from a mail."""

    scope = "confirm"
