"""Simulators: what one is, the wire to it, pools of its processes, records of its episodes."""
