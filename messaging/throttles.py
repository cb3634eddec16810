from aimessage.api.throttles import UserThrottle


class SendThrottle(UserThrottle):
    scope = "send"


class TypingThrottle(UserThrottle):
    scope = "typing"
