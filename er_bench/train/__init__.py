"""Supervised fine-tuning on conversations about images, for any family of models."""
