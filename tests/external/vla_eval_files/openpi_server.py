"""A server whose every message is made by openpi-client: PORT."""

import sys

from openpi_client import msgpack_numpy
from websockets.sync.server import serve
from world import towards


def meet(end):
    packer = msgpack_numpy.Packer()
    end.send(packer.pack({"policy": "pusher"}))
    for content in end:
        seen = msgpack_numpy.unpackb(content)
        assert seen["image"].shape == (48, 48, 3) and seen["image"].max() == 255
        move = towards(seen["prompt"], seen["nested"]["state"])
        answer = {"actions": move[None].astype("float32"), "server_timing": {"infer_ms": 0.1}}
        end.send(packer.pack(answer))


serve(meet, "127.0.0.1", int(sys.argv[1]), compression=None, max_size=None).serve_forever()
