"""A dialect: InternVL's points, asked for in other words.

A derived dialect keeps its lineage, so that a benchmark reads it as it reads InternVL's.
"""

from er_bench.models.dialects.families import INTERNVL_1000

INTERNVL_SPOKEN = INTERNVL_1000.derive(
    "internvl_spoken",
    point_template="Where would you put your finger? Say <point>[[x, y]]</point>. {question}",
    source="this template",
)
