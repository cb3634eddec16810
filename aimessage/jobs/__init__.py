"""Background jobs: Django's Tasks on the database, and the process that runs them.

A job is a function with `@task(queue_name=…)` in an app's `jobs.py`; `enqueue` is an INSERT in the caller's
transaction. A job may run twice, even concurrently, so it takes ids and first checks whether its work is
done.
"""
