"""Qwen2.5-VL and what is trained from it: asked by its own processor, taught by `er-bench rl`."""
