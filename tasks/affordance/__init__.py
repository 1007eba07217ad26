"""Affordance: the box of the region where a robot takes hold."""
