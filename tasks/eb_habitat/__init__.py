"""EB-Habitat."""
