"""Where2Place of RoboPoint."""
