"""Ways to train, one folder each."""
