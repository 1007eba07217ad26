"""EB-ALFRED."""
