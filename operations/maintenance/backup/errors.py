class BackupError(Exception):
    """Says in one sentence for the operator why nothing was written, or nothing restored."""
