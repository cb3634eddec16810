"""Django's PostgreSQL backend, but that its health check does not wait for ever."""
