"""VABench-VisualTrace: the way of a thing in the picture, as a trace of points."""
