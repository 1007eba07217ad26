"""EgoPlan-Bench2: the next action towards a goal, from an egocentric video."""
