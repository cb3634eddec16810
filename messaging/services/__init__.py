"""What changes conversations, messages and blocks."""
