"""ShareRobot's trajectory test: the way of the arm in the picture, as a trace of points."""
