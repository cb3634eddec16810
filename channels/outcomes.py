"""What Twilio's error codes mean for a delivery, and the sentences that people read about them.

https://www.twilio.com/docs/api/errors lists all codes. One that is missing here is a permanent refusal.
"""

from enum import StrEnum, auto


class Outcome(StrEnum):
    #: Permanent.
    REFUSED = auto()
    #: Permanent, and nothing more is sent to the address.
    OPTED_OUT = auto()
    #: Permanent: the number does not exist any more, so the address is unlinked.
    GONE = auto()
    #: WhatsApp accepts only templates until the contact writes.
    WINDOW_CLOSED = auto()
    #: Permanent, until the operator registers the number or writes less like an advertisement.
    FILTERED = auto()
    #: Another try may succeed.
    TRY_LATER = auto()
    #: Our own fault: nothing can be sent from this number until the operator fixes it.
    OURS = auto()


WINDOW_CLOSED = 63016

OUTCOMES: dict[int, Outcome] = {
    **dict.fromkeys(
        [21211, 21214, 21217, 21408, 21421, 21602, 21612, 21614, 21617, 30003, 63003, 63024],
        Outcome.REFUSED,
    ),
    **dict.fromkeys([30005, 30006], Outcome.GONE),
    **dict.fromkeys([21610, 63014], Outcome.OPTED_OUT),
    WINDOW_CLOSED: Outcome.WINDOW_CLOSED,
    **dict.fromkeys([30007, 30032, 30034], Outcome.FILTERED),
    **dict.fromkeys([20429, 21611, 30001, 63017, 63018], Outcome.TRY_LATER),
    **dict.fromkeys([20003, 20404, 21603, 21606, 21608, 21660, 63007], Outcome.OURS),
}

#: They name no number and quote no text, because both the sender and the recipient read them.
SENTENCES: dict[int, str] = {
    20003: "Twilio does not accept our key",
    20404: "Twilio does not know our account or number",
    21211: "This is no number that can be reached",
    21408: "Messages to this country are not allowed",
    21602: "There is no text to send",
    21603: "Twilio does not know our number",
    21606: "Our number cannot send messages",
    21608: "Our account may only write to numbers that were verified for it",
    21610: "The contact does not want messages",
    21611: "Too many messages wait for our number",
    21612: "Our number cannot reach this one",
    21614: "This number cannot receive messages",
    21617: "The text is too long",
    30001: "Too many messages wait for our number",
    30003: "The phone cannot be reached",
    30005: "This number does not exist",
    30006: "This number cannot receive messages",
    30007: "The network took it for spam",
    30032: "Our number is not registered",
    30034: "Our number is not registered",
    63003: "This number has no WhatsApp",
    63014: "The contact does not want messages",
    WINDOW_CLOSED: "The WhatsApp window of this contact is closed",
    63024: "This number has no WhatsApp",
}
FAILED = "The message could not be sent"
#: HTTP statuses that mean a wrong key or number when the answer has no known error code.
_NOT_OURS_TO_SEND = {401, 403, 404}
_SERVER_ERROR = 500
_TOO_MANY = 429


def outcome_of(status: int, code: int | None) -> Outcome:
    if status == _TOO_MANY or status >= _SERVER_ERROR:
        return Outcome.TRY_LATER
    if code in OUTCOMES:
        return OUTCOMES[code]
    return Outcome.OURS if status in _NOT_OURS_TO_SEND or status < 400 else Outcome.REFUSED


def sentence_of(code: int | None) -> str:
    return SENTENCES.get(code, FAILED) if code is not None else FAILED
