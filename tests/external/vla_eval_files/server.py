"""A model server of vla-eval's: PORT, and how many components it says `y` has."""

import sys

import numpy as np
from vla_eval.model_servers.predict import PredictModelServer
from vla_eval.model_servers.serve import serve
from vla_eval.specs import IMAGE_RGB, LANGUAGE, DimSpec
from world import towards


class Pusher(PredictModelServer):
    def get_action_spec(self):
        return {
            "x": DimSpec("x", 1, "raw", (-0.1, 0.1)),
            "y": DimSpec("y", int(sys.argv[2]), "raw"),
        }

    def get_observation_spec(self):
        state = DimSpec("state", 2, "point_xy")
        return {"image": IMAGE_RGB, "state": state, "language": LANGUAGE}

    def get_observation_params(self):
        return {"send_state": True, "seed": 0}

    def predict(self, obs, ctx):
        (image,) = obs["images"].values()
        assert image.shape == (48, 48, 3) and image.dtype == np.uint8 and image.max() == 255
        move = towards(obs["task_description"], obs["state"])
        return {"actions": np.stack([move, 0 * move, 0 * move])}


serve(Pusher(chunk_size=3), "127.0.0.1", int(sys.argv[1]))
