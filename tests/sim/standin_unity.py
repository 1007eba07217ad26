"""A stand-in for AI2-THOR's Unity process: a small kitchen, by pipe (5.0.0) or HTTP (2.1.0).

Pipe frames as `ai2thor/fifo_server.py` (5.0.0) reads them: type and length (`!BI`), then the body;
1 metadata (msgpack), 2 action (JSON), 4 RGB rows bottom-up, 255 end of message. By HTTP as
`ai2thor/server.py` (2.1.0) does: `POST /train`, multipart, the reply is the next action. Every
action is written to the file in STANDIN_LOG. STANDIN_FAULT is `kind:ActionName`: exit, hang, and
by pipe also short, garbage.
"""

from __future__ import annotations

import http.client
import json
import math
import os
import struct
import sys
import time
from typing import Any

METADATA, ACTION, RGB, END = 1, 2, 4, 255


def thing(object_id: str, at: tuple[float, float, float], **more: Any) -> dict[str, Any]:
    parts = object_id.split("|")
    return {
        "objectId": object_id,
        "objectType": parts[4] if len(parts) == 5 else parts[0],
        "name": f"{parts[0]}_{abs(hash(object_id)) % 10**6}",
        "position": dict(zip("xyz", at, strict=True)),
        "rotation": {"x": 0.0, "y": 0.0, "z": 0.0},
        **dict.fromkeys(("pickupable", "receptacle", "toggleable", "isToggled"), False),
        **dict.fromkeys(("openable", "isOpen", "visible"), False),
        "receptacleObjectIds": None,
        "parentReceptacles": None,
        **more,
    }


def holder(object_id: str, at: tuple[float, float, float], **more: Any) -> dict[str, Any]:
    return thing(object_id, at, receptacle=True, receptacleObjectIds=[], **more)


def on(place: str) -> dict[str, Any]:
    return {"pickupable": True, "parentReceptacles": [place]}


COUNTER, NEAR, FAR = "CounterTop|+00|+00|+02", "Cabinet|+02|+00|+00", "Cabinet|-02|+00|+00"


def kitchen() -> list[dict[str, Any]]:
    objects = [
        holder(COUNTER, (0, 0.9, 2)),
        holder(NEAR, (2, 0.5, 0), openable=True),
        holder(FAR, (-2, 0.5, 0), openable=True),
        holder("Fridge|+02|+00|+02", (2, 0.5, 2), openable=True),
        holder("Microwave|-02|+01|+02", (-2, 1, 2), openable=True, toggleable=True),
        holder("Sink|+00|+00|-02", (0, 0.9, -2)),
        holder("Sink|+00|+00|-02|SinkBasin", (0, 0.9, -2)),
        thing("Faucet|+00|+01|-02", (0, 1, -2), toggleable=True),
        thing("Apple|+00|+01|+02", (0.1, 1, 2), **on(COUNTER)),
        thing("Knife|+00|+01|+02", (-0.1, 1, 2), **on(COUNTER)),
        thing("Mug|-02|+01|+00", (-2, 0.6, 0), **on(FAR)),
        thing("Mug|+00|+01|+02", (0.2, 1, 2), **on(COUNTER)),
    ]
    by_id = {o["objectId"]: o for o in objects}
    for o in objects:
        for place in o["parentReceptacles"] or ():
            by_id[place]["receptacleObjectIds"].append(o["objectId"])
    return objects


class Kitchen:
    def __init__(self, width: int, height: int) -> None:
        self.width, self.height, self.scene = width, height, "FloorPlan1_physics"
        self.reset()

    def reset(self) -> None:
        self.objects, self.held = kitchen(), []  # type: list[dict[str, Any]], list[str]
        self.at, self.yaw, self.horizon = {"x": 0.0, "y": 0.9, "z": 0.0}, 0.0, 0.0

    def get(self, object_id: str) -> dict[str, Any]:
        found = next((o for o in self.objects if o["objectId"] == object_id), None)
        if found is None:
            raise LookupError(f"no object {object_id}")
        return found

    def reachable(self) -> list[dict[str, float]]:
        steps = [k * 0.25 - 1.0 for k in range(9)]
        return [{"x": x, "y": 0.9, "z": z} for x in steps for z in steps]

    def refresh(self) -> None:
        for o in self.objects:
            o["distance"] = math.dist(list(o["position"].values()), list(self.at.values()))
            shut = any(
                self.get(p)["openable"] and not self.get(p)["isOpen"]
                for p in o["parentReceptacles"] or ()
            )
            o["visible"] = o["distance"] <= 1.5 and not shut

    def near(self, object_id: str) -> dict[str, Any]:
        self.refresh()
        found = self.get(object_id)
        if not found["visible"]:
            raise LookupError(f"{object_id} is not visible")
        return found

    def take(self, object_id: str) -> None:
        for o in self.objects:
            if object_id in (o["receptacleObjectIds"] or ()):
                o["receptacleObjectIds"].remove(object_id)
        self.get(object_id)["parentReceptacles"] = None

    def do(self, action: dict[str, Any]) -> Any:
        name, object_id = action["action"], action.get("objectId", "")
        if name == "GetScenesInBuild":
            return [f"FloorPlan{n}_physics" for n in (1, 2, 3)]
        if name == "Reset":
            self.scene = action["sceneName"]
            self.reset()
        elif name == "ChangeResolution":
            self.width, self.height = action["x"], action["y"]
        elif name == "GetReachablePositions":
            return self.reachable()
        elif name == "TeleportFull":
            if abs(action["x"]) > 1 or abs(action["z"]) > 1:
                raise LookupError("not reachable")
            self.at = {axis: action[axis] for axis in "xyz"}
            self.yaw, self.horizon = action["rotation"]["y"], action["horizon"]
        elif name == "PickupObject":
            if self.held:
                raise LookupError("hand is full")
            self.near(object_id)
            self.take(object_id)
            self.held = [object_id]
        elif name == "PutObject":
            object_id = action.get("receptacleObjectId", object_id)
            place = self.near(object_id)
            if not self.held or (place["openable"] and not place["isOpen"]):
                raise LookupError("cannot put")
            place["receptacleObjectIds"].append(self.held[0])
            held = self.get(self.held.pop())
            held["parentReceptacles"], held["position"] = [object_id], dict(place["position"])
        elif name == "DropHandObject":
            if not self.held:
                raise LookupError("hand is empty")
            self.held.clear()
        elif name in ("OpenObject", "CloseObject"):
            door = self.near(object_id)
            if door["isOpen"] == (name == "OpenObject"):
                raise LookupError("nothing to do")
            door["isOpen"] = name == "OpenObject"
        elif name in ("ToggleObjectOn", "ToggleObjectOff"):
            self.near(object_id)["isToggled"] = name == "ToggleObjectOn"
        elif name == "SliceObject":
            whole = self.near(object_id)
            if not any("Knife" in held for held in self.held):
                raise LookupError("no knife")
            kind = whole["objectId"].split("|")[0]
            for k in range(2):
                piece = thing(f"{object_id}|{kind}Sliced_{k}", (0.1, 1, 1.9), **on(COUNTER))
                piece["name"], piece["objectType"] = f"{kind}_Slice_{k}", f"{kind}Sliced"
                self.objects.append(piece)
                self.get(COUNTER)["receptacleObjectIds"].append(piece["objectId"])
        return None

    def metadata(self, action: dict[str, Any], error: str, result: Any) -> dict[str, Any]:
        self.refresh()
        held = [{"objectId": i, "objectType": self.get(i)["objectType"]} for i in self.held]
        agent = {
            "screenWidth": self.width,
            "screenHeight": self.height,
            "sceneName": self.scene,
            "lastAction": action.get("action", ""),
            "lastActionSuccess": not error,
            "errorMessage": error,
            "errorCode": "",
            "actionReturn": result,
            "objects": self.objects,
            "inventoryObjects": held,
            "agent": {
                "position": self.at,
                "rotation": {"x": 0.0, "y": self.yaw, "z": 0.0},
                "cameraHorizon": self.horizon,
            },
            "thirdPartyCameras": [],
            "colors": [],
        }
        return {
            "agents": [agent],
            "thirdPartyCameras": [],
            "sequenceId": action.get("sequenceId", 0),
            "activeAgentId": 0,
        }


def frame(kind: int, body: bytes) -> bytes:
    return struct.pack("!BI", kind, len(body)) + body


def read(stream: Any) -> dict[str, Any] | None:
    body = b""
    while True:
        head = stream.read(5)
        if len(head) < 5:
            return None
        kind, length = struct.unpack("!BI", head)
        if kind == END:
            action: dict[str, Any] = json.loads(body)
            return action
        body = stream.read(length)


def answer(world: Kitchen, action: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
    """Do one action: metadata and picture."""
    error, result, name = "", None, action.get("action")
    if name:
        with open(os.environ["STANDIN_LOG"], "a") as log:
            log.write(json.dumps(action) + "\n")
        try:
            result = world.do(action)
        except LookupError as problem:
            error = str(problem)
    picture = bytes((40, 90, int(world.yaw) % 256)) * (world.width * world.height)
    return world.metadata(action, error, result), picture


def by_pipe(world: Kitchen, fault: str, victim: str) -> None:
    import msgpack

    action: dict[str, Any] = {"sequenceId": 0}
    with open(os.environ["AI2THOR_FIFO_SERVER_PIPE_PATH"], "wb", 0) as out:
        stream: Any = None
        while True:
            metadata, picture = answer(world, action)
            message = frame(METADATA, msgpack.dumps(metadata))
            message += frame(RGB, picture) + frame(END, b"")
            if action.get("action") == victim:
                misbehave(fault)
                message = {"short": message[:300], "garbage": b"\x63\xff\xff" + message}[fault]
            out.write(message)
            stream = stream or open(os.environ["AI2THOR_FIFO_CLIENT_PIPE_PATH"], "rb")
            told = read(stream)
            if told is None:
                return
            action = told


def by_http(world: Kitchen, fault: str, victim: str) -> None:
    host, port = os.environ["AI2THOR_HOST"], int(os.environ["AI2THOR_PORT"])
    action: dict[str, Any] = {"sequenceId": 0}
    line = http.client.HTTPConnection(host, port)
    while True:
        metadata, picture = answer(world, action)
        if action.get("action") == victim:
            misbehave(fault)
        token = os.environ["AI2THOR_CLIENT_TOKEN"].encode()
        text = b"text/plain; charset=utf-8"
        fields = [
            (text, b'name="metadata"', json.dumps(metadata).encode()),
            (text, b'name="token"', token),
            (b"image/raw", b'name="image"; filename="image"', picture),
        ]
        body = b"".join(
            b"\r\n--standin\r\nContent-Type: %s\r\nContent-disposition: form-data; %s\r\n\r\n%s"
            % field
            for field in fields
        )
        kind = {"Content-Type": "multipart/form-data; boundary=standin"}
        line.request("POST", "/train", body + b"\r\n--standin--\r\n", kind)
        action = json.loads(line.getresponse().read())
        if not action.get("action"):
            return


def misbehave(fault: str) -> None:
    if fault == "exit":
        os._exit(1)
    if fault == "hang":
        time.sleep(600)


def main() -> None:
    words = sys.argv
    width = int(words[words.index("-screen-width") + 1])
    fault, _, victim = os.environ.get("STANDIN_FAULT", "").partition(":")
    if "STANDIN_PIDS" in os.environ:
        with open(os.environ["STANDIN_PIDS"], "a") as file:
            file.write(f"{os.getpid()}\n")
    speak = by_pipe if "AI2THOR_FIFO_SERVER_PIPE_PATH" in os.environ else by_http
    speak(Kitchen(width, width), fault, victim)


if __name__ == "__main__":
    main()
