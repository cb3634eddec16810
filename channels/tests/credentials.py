"""The Twilio accounts that the tests have, and the token of the first."""

ACCOUNT = "AC" + "1" * 32
SUBACCOUNT = "AC" + "2" * 32
TOKEN = "token-of-the-account-0123456789"
