"""Draw the pictures of `mini/` and write its rows: `python make_pictures.py`."""

from __future__ import annotations

import json
import random
from pathlib import Path

from PIL import Image, ImageDraw

MINI = Path(__file__).parent / "mini"
RED, BLUE, TABLE, SIDE = (200, 30, 30), (40, 60, 200), (230, 225, 215), 20

if __name__ == "__main__":
    rng, rows = random.Random(0), []
    for k in range(12):
        places = rng.sample([(x, y) for x in range(10, 150, 30) for y in range(10, 110, 30)], 12)
        red, picture = rng.randint(1, 6), Image.new("RGB", (160, 120), TABLE)
        draw = ImageDraw.Draw(picture)
        for n, (x, y) in enumerate(places[: red + rng.randint(1, 5)]):
            draw.rectangle((x, y, x + SIDE - 1, y + SIDE - 1), fill=RED if n < red else BLUE)
        picture.save(MINI / f"{k:02}.png")
        rows.append(
            {
                "id": f"{k:02}",
                "picture": f"{k:02}.png",
                "question": "How many red blocks are in the picture? Answer with a number.",
                "red": red,
            }
        )
    (MINI / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
