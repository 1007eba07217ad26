"""What kinds of task share."""
