"""Trajectory: the way of the end-effector through the picture, as a trace of points."""
