"""What is done to channels, their addresses and what comes and goes by them."""
