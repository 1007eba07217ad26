"""Pages about a run: a summary, a chart, and every sample with its picture, answer and readings."""
