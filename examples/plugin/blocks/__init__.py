"""A task, a model, a dialect and an export format for er-bench, as a template for your own."""
