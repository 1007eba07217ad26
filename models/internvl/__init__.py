"""The InternVL family (InternVL2.5, InternVL3, Vlaser): checkpoints, prompts, tiles.

Nothing here imports torch or transformers before a model is loaded.
"""
