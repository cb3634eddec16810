"""What changes replies, and how they come about."""
