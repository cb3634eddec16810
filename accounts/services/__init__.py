"""Functions that change accounts, for the API and the admin."""
