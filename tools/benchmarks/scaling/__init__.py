"""What docs/scaling.md says of poolers, replicas, partitions and disk space, measured.

    python -m tools.benchmarks.scaling pooler DIRECT POOLED      the application past PgBouncer and through it
    python -m tools.benchmarks.scaling replica PRIMARY REPLICA   lists of a standby: stale, or made not so
    python -m tools.benchmarks.scaling partitions URL            the hot queries over three layouts
    python -m tools.benchmarks.scaling storage URL               bytes of disk and of WAL that a message takes

Each URL leads to a database that tools/benchmarks/loading.py filled, on a server that nothing else uses. All
of them write to it: use one that can be thrown away. Runs last seconds.
"""
