"""A card for each model."""
