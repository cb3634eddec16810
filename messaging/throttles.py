from aimessage.throttling import UserThrottle


class SendThrottle(UserThrottle):
    scope = "send"
