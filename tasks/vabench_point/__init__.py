"""VABench-Point: points in a region that an instruction to a robot means."""
