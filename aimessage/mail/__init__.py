"""The outbox: a mail is a row, written in the transaction of what it is about, and a job sends it."""
