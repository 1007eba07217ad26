"""Household chores in the built-in home, with ALFRED's skills and goals."""
