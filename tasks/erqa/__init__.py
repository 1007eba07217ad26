"""ERQA: multiple-choice questions about robot images."""
