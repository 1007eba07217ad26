"""Pure functions from an answer and a target to a score."""
