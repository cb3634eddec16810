"""The outbox: a mail is a row, committed together with what it is about, and a job sends it."""
