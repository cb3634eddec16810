"""What is looked at in every answer: all that schemathesis can look for."""

import re
from typing import Any

from schemathesis import Case, CheckContext, Response
from schemathesis.checks import CHECKS, load_all_checks, max_response_time, not_a_server_error
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

load_all_checks()

PASSWORDS = [
    r"This password is (too common|entirely numeric)\.",
    r"The password is too similar to the (username|e-mail address|full name)\.",
]
PHONES = [
    r"Enter a phone number in international form and nothing else, as \+49 30 123456\.",
    r"This phone number has too many or too few digits for its country\.",
    r"Phone number already registered",
]
#: By operation, what refuses a request that fits the description, since OpenAPI has no words for the rule.
RULES = {
    "": [
        r"Only one of before and after may be given\.",
        r"A skip above 0 goes with no cursor\.",
        r"NUL characters are not allowed in (text|the query string)",
        r"This field may not be blank\.",
        r"This Idempotency-Key was used with another payload",
        r"Idempotency-Key must be 1 to 255 visible ASCII characters",
    ],
    "register_user": [
        r"A username consists of letters, digits and @ \. \+ - _ only\.",
        r"A username must not mix letters of different scripts\.",
        r"This username is reserved",
        r"Enter a valid email address\.",
        r"(Username|Email) already registered",
        r"Invitation is not valid",
        *PASSWORDS,
        *PHONES,
    ],
    "make_token": [r"Current password is incorrect", r"Name each scope once\."],
    "change_password": [r"Current password is incorrect", *PASSWORDS],
    "reset_password": [r"Link or code is invalid or expired", *PASSWORDS],
    "verify_address": [r"Link or code is invalid or expired"],
    "change_address": [
        r"Current password is incorrect",
        r"Enter a valid email address\.",
        r"Email already registered",
    ],
    "export_me": [r"Current password is incorrect"],
    "delete_me": [r"Current password is incorrect"],
    "cancel_deletion": [r"This field is required\."],
    "list_events": [r"This is no cursor of at most 2,000 characters"],
    "stream_events": [r"This is no cursor of at most 2,000 characters"],
    "begin_totp": [r"Current password is incorrect"],
    "log_in_second_factor": [r"This field is required\."],
    "update_me": PHONES,
    "set_phone": PHONES,
    "begin_link": [r"This field is required\.", *PHONES],
    "finish_link": [r"Code is invalid or expired"],
    "patch_me": PHONES,
    "block_user": [r"Cannot block yourself"],
    "send_message": [
        r"Cannot send message to yourself",
        r"The parent is no message of this conversation",
        r"The recipient is not the other participant of this conversation",
    ],
    "send_conversation_message": [
        r"Cannot send message to yourself",
        r"The parent is no message of this conversation",
        r"The recipient is not the other participant of this conversation",
        r"recipient_id .*",
    ],
    "file_report": [r"There is no such message"],
    "search_directory": [r"Search for 2 to 255 characters\."],
    "list_people": [r"Name 1 to 100 whole numbers, separated by commas\."],
}


def good_requests_are_taken(ctx: CheckContext, response: Response, case: Case) -> bool | None:
    """schemathesis' own check, but for refusals by a rule above, and by no other besides."""
    if response.status_code in {400, 422}:
        body = response.json()
        said = [text for texts in body.get("errors", {"": [body["detail"]]}).values() for text in texts]
        rules = [*RULES[""], *RULES.get(str(case.operation.definition.raw["operationId"]), [])]
        if all(any(re.fullmatch(rule, text, re.DOTALL) for rule in rules) for text in said):
            return None
    return positive_data_acceptance(ctx, response, case)


def bad_requests_are_refused(ctx: CheckContext, response: Response, case: Case) -> bool | None:
    """schemathesis' own check, but for an id of more than 64 bits, which is nobody's."""
    asked_for = str((case.query or {}).get("with_user", ""))
    if asked_for.isdigit() and int(asked_for) >= 2**63:
        return None
    return negative_data_rejection(ctx, response, case)


def nothing_falls_over(ctx: CheckContext, response: Response, case: Case) -> bool | None:
    """schemathesis' own check, but for an answer of the assistant's that is not ready in time."""
    later = response.status_code == 503 and "Retry-After".lower() in response.headers
    if later and response.json()["detail"] == "The answer will follow in the conversation":
        return None
    return not_a_server_error(ctx, response, case)


OURS = [good_requests_are_taken, bad_requests_are_refused, nothing_falls_over]
THEIRS = (positive_data_acceptance, negative_data_rejection, not_a_server_error)
#: A check of a later schemathesis is among them of itself.
ALL: list[Any] = [one for one in CHECKS.get_all() if one not in THEIRS] + [*OURS, max_response_time]
