"""One file for each external simulator; see `er_bench/sim/server.py` for how they are served."""
