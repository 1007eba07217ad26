import io
import subprocess
import sys
from ctypes.util import find_library

import numpy as np
import pytest
from PIL import Image

from er_bench.core.errors import UsageError
from er_bench.worlds.home import raycast, renderer
from er_bench.worlds.home.rooms import ROOM_TYPES, furnish
from er_bench.worlds.home.solids import Camera, Pose, Solid, turn_x
from er_bench.worlds.home.world import World

CAMERA = Camera((0.0, 0.0, 1.0), 0.0, 0.0, 60.0)
RED, BLUE = (1.0, 0.0, 0.0), (0.0, 0.0, 1.0)


def ball(x: float, y: float, r: float, owner: int = 0, rgb=RED) -> Solid:
    return Solid("ball", (r, r, r), Pose.at(x, y, 1.0), rgb, owner)


def test_a_ball_covers_the_pixels_that_geometry_says():
    index = raycast.trace([ball(0, 4, 1)], CAMERA, 200)
    # Its outline is a circle of tan(asin(1/4)) at distance 1; the picture's half is tan(30 deg).
    radius_px = 100 * np.tan(np.arcsin(0.25)) / np.tan(np.radians(30))
    assert (index == 0).sum() == pytest.approx(np.pi * radius_px**2, rel=0.01)
    assert index[100, 100] == 0 and index[0, 0] == -1


def test_the_nearer_of_two_hides_the_other_whatever_their_order():
    near, far = ball(0, 2, 0.5, 0), ball(0, 4, 0.5, 1, BLUE)
    for solids in ([near, far], [far, near]):
        picture = raycast.render(solids, CAMERA, 64)
        assert picture[32, 32, 0] > 100 and picture[32, 32, 2] == 0
        assert raycast.count_px(solids, CAMERA, 64, owner=1) == 0


def test_right_is_right_and_up_is_up():
    picture = raycast.render([ball(1, 4, 0.5)], CAMERA, 64)
    assert picture[:, :32].max() == 0 and picture[:, 32:].max() > 0
    above = Solid("box", (0.3, 0.3, 0.3), Pose.at(0, 4, 2.0), RED, 0)
    assert raycast.render([above], CAMERA, 64)[32:].max() == 0


def test_a_crop_is_the_same_part_of_the_whole():
    room, things = furnish("kitchen", 0)
    world = World(room, things)
    world.go("Fridge|01")
    whole = raycast.trace(world.solids(), world.camera(), 80)
    part = raycast.trace(world.solids(), world.camera(), 80, (10, 20, 50, 70))
    assert (whole[20:70, 10:50] == part).all()


def test_pixels_of_a_thing_are_those_of_the_whole_picture():
    room, things = furnish("living", 1)
    world = World(room, things)
    world.go("Sofa|01")
    solids = world.solids()
    owners = np.array([s.owner for s in solids])
    whole = owners[raycast.trace(solids, world.camera(), 96)]
    for owner in range(len(things)):
        assert raycast.count_px(solids, world.camera(), 96, owner) == (whole == owner).sum()


def test_a_turned_cylinder_lies():
    lying = Solid(
        "cylinder", (0.2, 0.2, 1.0), Pose(np.array([0.0, 4, 1]), turn_x(np.pi / 2)), RED, 0
    )
    index = raycast.trace([lying], CAMERA, 100)
    rows, columns = np.nonzero(index == 0)
    # It points at the camera: its outline is a disc, not a column.
    assert abs(np.ptp(rows) - np.ptp(columns)) <= 1


def test_the_renderer_is_what_the_variable_says(monkeypatch):
    monkeypatch.setenv(renderer.VARIABLE, "numpy")
    assert renderer.choose() == "numpy"
    monkeypatch.setenv(renderer.VARIABLE, "crayons")
    with pytest.raises(UsageError, match="crayons"):
        renderer.choose()


def test_numpy_draws_where_opengl_does_not_work(tmp_path):
    (tmp_path / "mujoco.py").write_text("raise ImportError('no OpenGL here')")
    code = (
        "from er_bench.worlds.home import renderer\n"
        "from er_bench.worlds.home.solids import Camera\n"
        "png = renderer.png([], Camera((0, 0, 0), 0, 0, 60), 8)\n"
        "print(renderer.choose(), png[1:4].decode())"
    )
    environ = {"PYTHONPATH": str(tmp_path), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environ, capture_output=True, text=True, timeout=60
    )
    assert done.stdout.split() == ["numpy", "PNG"], done.stderr


@pytest.fixture(scope="module")
def mujoco_name() -> str:
    name = next((n for n in renderer.BACKENDS if renderer._works(n)), None)
    if name is None and not find_library("OSMesa"):
        pytest.skip("MuJoCo cannot draw here: apt-get install libosmesa6")
    assert name, "MuJoCo does not draw although OSMesa is installed"
    return name


def test_mujoco_and_numpy_draw_the_same_picture(mujoco_name, tmp_path):
    code = (
        "import sys\n"
        "from er_bench.worlds.home import renderer\n"
        "from er_bench.worlds.home.rooms import furnish\n"
        "from er_bench.worlds.home.world import World\n"
        "for kind in sys.argv[2:]:\n"
        "    world = World(*furnish(kind, 2))\n"
        "    world.go('GarbageCan|01')\n"
        "    png = renderer.png(world.solids(), world.camera(), 128)\n"
        "    open(f'{sys.argv[1]}/{kind}.png', 'wb').write(png)\n"
    )
    environ = {renderer.VARIABLE: mujoco_name, "PATH": "/usr/bin:/bin"}
    subprocess.run(
        [sys.executable, "-c", code, str(tmp_path), *ROOM_TYPES],
        env=environ,
        check=True,
        timeout=90,
    )
    for kind in ROOM_TYPES:
        world = World(*furnish(kind, 2))
        world.go("GarbageCan|01")
        ours = raycast.render(world.solids(), world.camera(), 128).astype(float)
        theirs = np.asarray(Image.open(tmp_path / f"{kind}.png")).astype(float)
        differs = np.abs(ours - theirs).max(axis=2) > 40
        assert differs.mean() < 0.04, kind  # the outlines, which MuJoCo smooths


def test_every_kind_can_be_drawn_in_every_state():
    from er_bench.worlds.home.object_kinds import Look
    from er_bench.worlds.home.world import KINDS, parts

    for name, kind in KINDS.items():
        looks = {
            Look(o, n, s)
            for o in (False, kind.openable)
            for n in (False, kind.toggleable)
            for s in (False, kind.sliceable)
        }
        drawn = set()
        for look in looks:
            solids = [
                Solid(
                    p.shape,
                    p.half_m,
                    Pose(np.add(p.at_m, (0, 2, 0.4)), p.rotation),
                    RED,
                    0,
                    p.glow,
                )
                for p in parts(name, look)
            ]
            assert raycast.count_px(solids, CAMERA, 200, 0) > 0, name
            drawn.add(str(parts(name, look)))
        assert len(drawn) == len(looks), f"{name}: two of its states look the same"


def test_png_is_the_size_that_was_asked_for(monkeypatch):
    monkeypatch.setenv(renderer.VARIABLE, "numpy")
    png = renderer.png([ball(0, 4, 1)], CAMERA, 48)
    assert Image.open(io.BytesIO(png)).size == (48, 48)
