"""SAT: the real test of spatial aptitude, asked in both orders of the options."""
