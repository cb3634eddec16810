class BackupError(Exception):
    """Nothing was written, or nothing restored. The message tells the operator why."""
