"""CV-Bench: counting, relation, depth and distance in photos, as multiple choice."""
