"""RefSpatial-Bench of RoboRefer."""
