"""The ways in which a call to the provider can fail. Users never see any of this."""

from assistant.turns import Completion


class Failed(Exception):
    """A failure that may pass. `reason` is a word; `after` is the server's Retry-After, in seconds."""

    def __init__(self, reason: str, *, after: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.after = after


class Refused(Exception):
    """The provider does not serve us: a wrong key, no such model, no credit. Operators must act."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Rejected(Exception):
    """The provider refuses this question; trying again does not help."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class TooLong(Exception):
    """The prompt is longer than the model's context."""


class Stopped(Exception):
    """We ended the call ourselves. `completion` holds what had arrived."""

    def __init__(self, completion: Completion) -> None:
        super().__init__()
        self.completion = completion
