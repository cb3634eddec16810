"""How a call to the provider can fail. No user ever reads any of it."""

from assistant.turns import Completion


class Failed(Exception):
    """Something that may pass, as a word; `after` are the seconds that the server asks for."""

    def __init__(self, reason: str, *, after: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.after = after


class Refused(Exception):
    """The provider does not serve us: a wrong key, no such model, no credit. Operators must see to it."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Rejected(Exception):
    """The provider takes this question at no time."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class TooLong(Exception):
    """The prompt is longer than the model reads."""


class Stopped(Exception):
    """We ended the call ourselves; `completion` is what it had come to."""

    def __init__(self, completion: Completion) -> None:
        super().__init__()
        self.completion = completion
