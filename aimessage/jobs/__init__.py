"""Work outside of requests: Django's Tasks on the database, and the process that runs them.

A job is a function with `@task(queue_name=…)` in an app's `jobs.py`; `enqueue` is an INSERT in the caller's
transaction. It may run twice, at the same time too, so it takes ids and first looks whether its row is done.
"""
