"""The addresses in the export of an account; messages by SMS or WhatsApp are exported as messages."""

from accounts.models import User
from accounts.services import exporting
from accounts.services.exporting import Rows, by_id
from channels.models import Address, Alias


def addresses(user: User) -> Rows:
    columns = ["id", "value", "linked_at", "opted_out_at"]
    for row in by_id(Address.objects.filter(user=user).values(*columns)):
        row["address"] = row.pop("value")
        row["aliases"] = list(Alias.objects.filter(address=row["id"]).values_list("value", flat=True))
        yield row


exporting.sources["addresses.json"] = addresses
