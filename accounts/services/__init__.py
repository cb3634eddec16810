"""What changes accounts, for the API and the admin alike."""
