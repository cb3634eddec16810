"""Errors that several operations share."""

from accounts.services.codes import RESET_REQUIRED, WRONG_CODE
from accounts.services.proof import LOG_IN_FIRST, WRONG_PASSWORD
from aimessage.api.guesses import LOCKED_OUT, TOO_MANY_LOGINS
from aimessage.api.problems import DATABASE_DOWN, TOO_LONG

#: 503 of an operation that hashes a password.
UNAVAILABLE = [DATABASE_DOWN, TOO_LONG, TOO_MANY_LOGINS]
#: 403 of an operation that takes *proof*.
PROOF_REFUSED = [LOG_IN_FIRST, RESET_REQUIRED]
#: All errors of an operation that takes *proof*.
PROOF: dict[int, object] = {
    400: [WRONG_PASSWORD, WRONG_CODE],
    403: PROOF_REFUSED,
    429: LOCKED_OUT,
    503: UNAVAILABLE,
}
