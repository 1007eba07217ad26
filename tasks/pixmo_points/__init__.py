"""PixMo-Points, by the rule of Vlaser's released script."""
