"""The nouns, frozen and without I/O, and the protocols between the rooms."""
