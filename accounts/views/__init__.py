"""The API of accounts, their sessions, and what they log in with."""
