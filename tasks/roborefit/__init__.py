"""RoboRefIt: the box of the object that an instruction means."""
