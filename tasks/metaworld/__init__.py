"""Meta-World: manipulation tasks of one robot arm, for policies."""
