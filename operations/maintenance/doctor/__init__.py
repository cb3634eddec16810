"""What goes wrong in practice, looked for: each check one function that says what it found, and what to do.

A check prints no secret, changes nothing, and where it fails itself, that is its finding.
"""
