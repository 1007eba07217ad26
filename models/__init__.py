"""Backends, model cards and dialects."""
