"""Policies behind a websocket: what vla-eval and openpi serve."""
