"""The wire to a policy: what crosses it, what a robot takes, and how er-bench serves policies."""
