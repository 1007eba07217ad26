"""Synthetic scenes with exact truth: the one source of mini splits and of training data."""

from er_bench.scenes.shapes import COLOURS, SHAPES, Scene, Thing, draw, mask, plural, random_scene

__all__ = ["COLOURS", "SHAPES", "Scene", "Thing", "draw", "mask", "plural", "random_scene"]
