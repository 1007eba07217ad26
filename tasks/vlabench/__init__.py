"""VLABench, VLM track: a plan of skill calls for a picture with numbered objects."""
