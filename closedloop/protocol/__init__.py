"""The protocol: what a session is to do."""
