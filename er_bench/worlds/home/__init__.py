"""The built-in home: furnished rooms with two skill dialects on one symbolic state.

`solids` is what there is to draw, `raycast` and `mujoco_gl` draw it, `world` is the state,
`alfred` and `rearrange` are the skills, `simulator` is what the episode loop talks to.
"""
