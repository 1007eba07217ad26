"""Rearrangement in the built-in home, with EB-Habitat's 70 actions and goal logic."""
