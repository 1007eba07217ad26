"""The point that is pushed: where to, how far at once; needs numpy alone."""

import re

import numpy as np

GOAL, MOST_M, NEAR_M = np.array([0.35, -0.25]), 0.1, 0.01


def towards(sentence, at_m):
    goal = [float(word) for word in re.findall(r"-?\d\S*", sentence)]
    return np.clip(np.array(goal) - np.asarray(at_m), -MOST_M, MOST_M)
