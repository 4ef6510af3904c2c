"""The answer for other programs."""
