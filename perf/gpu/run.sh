#!/bin/sh
# Measures a 2B InternVL on this machine's GPU, in under ten minutes: sh perf/gpu/run.sh OUT [WHEELS]
#
# Needs Python 3.11 or later with torch, transformers and accelerate. WHEELS is a folder of wheels
# (trl, datasets, pydantic, ..) for a machine without a network; they go into a folder of their own.
set -eu
out=$1
here=$(cd "$(dirname "$0")/../.." && pwd)
export PYTHONPATH="$here" PYTHONUNBUFFERED=1 HF_HUB_OFFLINE=1 TRL_EXPERIMENTAL_SILENCE=1
if [ $# -gt 1 ]; then
    site=$(mktemp -d)
    python3 -m pip install --quiet --no-index --no-deps --no-compile --target "$site" "$2"/*.whl
    export PYTHONPATH="$here:$site"
fi
python3 "$here/perf/gpu/measure.py" "$out"
