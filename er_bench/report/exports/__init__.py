"""Runs in the formats of others, a file a format."""
