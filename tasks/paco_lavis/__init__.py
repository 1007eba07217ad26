"""PACO-LVIS pointing, by the rule of Vlaser's released script."""
