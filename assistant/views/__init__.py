"""The API of the assistant."""
