"""Point-Bench of PointArena."""
