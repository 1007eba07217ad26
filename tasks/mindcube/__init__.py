"""MindCube: multiple-choice questions about a scene from a few views of it."""
