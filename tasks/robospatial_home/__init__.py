"""RoboSpatial-Home: yes or no about arrangement and fit, and points in free space, in homes."""
