"""BLINK: multiple-choice questions of perception; depth, relations and counts are the task."""
