"""MMSI-Bench: multiple-choice questions that need several images of one scene."""
