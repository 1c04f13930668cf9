"""What a person runs: the command line and the sessions behind it."""
