"""Worlds that er-bench ships, behind the same protocol as any simulator."""
