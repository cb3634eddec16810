"""Django's PostgreSQL backend with changes; base.py lists them."""
