"""Part-Affordance-2K: points on the part of a tool that a use needs."""
