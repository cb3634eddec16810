"""The API of messages, conversations, and people."""
