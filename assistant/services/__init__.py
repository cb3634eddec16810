"""Services that create, answer, change and end replies."""
