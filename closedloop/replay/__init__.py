"""Offline replay of a recorded session: to verify it, to score it again, to play it to other programs."""
