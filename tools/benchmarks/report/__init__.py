"""Writes tools/benchmarks/report.md from the raw results: `make bench-report`.

Runs in the benchmark's own virtual environment, and so without the application or a database.
"""
