"""Texts to values, in time linear in the text."""
