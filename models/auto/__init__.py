"""Any vision-language family of transformers, by its own processor."""
