"""A folder for each benchmark."""
