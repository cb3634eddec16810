"""Parses Twilio's form of an incoming message: who wrote what to which of our numbers."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from aimessage.api.problems import Invalid, Reason
from channels.models import ADDRESS_MAX_LENGTH, SID_LENGTH, WHATSAPP, Channel
from messaging.models import CONTENT_MAX_LENGTH

FIELDS_MISSING = Reason("MessageSid, From and To are required", "required")

_SID = re.compile(rf"[A-Za-z0-9_-]{{1,{SID_LENGTH}}}")
#: An alphanumeric sender may contain spaces, but not at its ends.
_ADDRESS = re.compile(rf"(?! )[^\0-\x1f\x7f-\x9f\ud800-\udfff]{{1,{ADDRESS_MAX_LENGTH}}}(?<! )")
#: Characters that a column cannot store. Lone surrogates come from bytes that were not UTF-8.
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
#: How many attachments a message's text lists, and how many characters of each media type.
_MAX_MEDIA, _MEDIA_TYPE_LENGTH = 10, 100


class Keyword(StrEnum):
    STOP = "STOP"
    START = "START"
    HELP = "HELP"


# https://www.twilio.com/docs/messaging/tutorials/advanced-opt-out
_WORDS = {
    **dict.fromkeys(
        ["stop", "stopall", "unsubscribe", "end", "quit", "cancel", "revoke", "optout"], Keyword.STOP
    ),
    **dict.fromkeys(["start", "unstop"], Keyword.START),
    **dict.fromkeys(["help", "info"], Keyword.HELP),
}


@dataclass(frozen=True)
class Inbound:
    sid: str
    account: str
    #: Both addresses exactly as Twilio writes them.
    from_address: str
    to_address: str
    pool: str
    body: str
    opt_out_type: str
    #: Other addresses of the same person.
    aliases: tuple[str, ...]
    profile_name: str
    replied_sid: str

    @property
    def channel(self) -> Channel:
        return Channel.of(self.from_address)

    def keyword(self, *, is_opted_out: bool) -> Keyword | None:
        if self.opt_out_type:
            return Keyword(self.opt_out_type)
        word = self.body.strip().casefold()
        # YES opts in again; from anyone who did not opt out it is an ordinary message.
        return Keyword.START if word == "yes" and is_opted_out else _WORDS.get(word)

    @property
    def is_answered_by_twilio(self) -> bool:
        return bool(self.opt_out_type) or self.channel == Channel.SMS


def read_inbound(fields: Mapping[str, str]) -> Inbound:
    """Raises Invalid if MessageSid, From or To is missing or malformed; other bad fields are ignored."""
    sid, to_address = fields.get("MessageSid", ""), fields.get("To", "")
    from_address = fields.get("From", "")
    if not (_SID.fullmatch(sid) and _ADDRESS.fullmatch(from_address) and _ADDRESS.fullmatch(to_address)):
        raise Invalid(FIELDS_MISSING)
    opt_out_type = fields.get("OptOutType", "").upper()
    return Inbound(
        sid=sid,
        account=_sid(fields, "AccountSid"),
        from_address=from_address,
        to_address=to_address,
        pool=_sid(fields, "MessagingServiceSid"),
        body=_write_text(fields),
        opt_out_type=opt_out_type if opt_out_type in set(Keyword) else "",
        aliases=_aliases(fields, from_address),
        profile_name=_clean(fields.get("ProfileName", ""))[:ADDRESS_MAX_LENGTH],
        replied_sid=_sid(fields, "OriginalRepliedMessageSid"),
    )


def _sid(fields: Mapping[str, str], name: str) -> str:
    value = fields.get(name, "")
    return value if _SID.fullmatch(value) else ""


def _aliases(fields: Mapping[str, str], from_address: str) -> tuple[str, ...]:
    # WhatsApp's own ids of the user. A user who hides their number later writes from one of these.
    if not from_address.startswith(WHATSAPP):
        return ()
    ids = (fields.get(name, "").removeprefix(WHATSAPP) for name in ("ExternalUserId", "ParentExternalUserId"))
    found = (WHATSAPP + one for one in ids if one)
    return tuple(one for one in found if _ADDRESS.fullmatch(one) and one != from_address)


def _write_text(fields: Mapping[str, str]) -> str:
    text = _clean(fields.get("ButtonText") or fields.get("Body", ""))
    lines = filter(None, [text, _write_location(fields), _write_media(fields)])
    return "\n".join(lines)[:CONTENT_MAX_LENGTH]


def _write_location(fields: Mapping[str, str]) -> str:
    latitude, longitude = _clean(fields.get("Latitude", "")), _clean(fields.get("Longitude", ""))
    if not latitude or not longitude:
        return ""
    named = [_clean(fields.get(name, "")) for name in ("Label", "Address")]
    return f"[Location: {', '.join([*filter(None, named), f'{latitude}, {longitude}'])}]"


def _write_media(fields: Mapping[str, str]) -> str:
    # As `[2 attachments: image/jpeg, audio/ogg]`. The attachments themselves are never downloaded.
    raw = fields.get("NumMedia", "")
    number = min(int(raw), _MAX_MEDIA) if re.fullmatch("[0-9]{1,3}", raw) else 0
    if not number:
        return ""
    types = [_clean(fields.get(f"MediaContentType{at}", ""))[:_MEDIA_TYPE_LENGTH] for at in range(number)]
    listed = ", ".join(one or "unknown" for one in types)
    return f"[{number} attachment{'s' if number > 1 else ''}: {listed}]"


def _clean(text: str) -> str:
    return _UNSTORABLE.sub("", text)
