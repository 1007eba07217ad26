"""Rows and media from folders, archives and the hub."""
