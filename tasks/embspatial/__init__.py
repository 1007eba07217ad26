"""EmbSpatial-Bench: six spatial relations seen from where an agent stands."""
