from aimessage.api.throttles import Throttle


class LoginThrottle(Throttle):
    scope = "login"


class RegisterThrottle(Throttle):
    scope = "register"


class RefreshThrottle(Throttle):
    scope = "refresh"
