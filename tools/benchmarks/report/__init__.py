"""`make bench-report`: writes tools/benchmarks/report.md from the raw results.

It runs in the benchmark's virtual environment, which lacks the application.
"""
