"""Django's backend for PostgreSQL, with two statements of its own less on every call."""
