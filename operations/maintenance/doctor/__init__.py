"""Checks for what goes wrong in practice. Each check is a function that returns a finding, with advice.

A check shows no secret and changes nothing. If a check itself fails, that is its finding.
"""
