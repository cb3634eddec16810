"""Services: everything that writes conversations, messages and blocks."""
