# The main job on the embedded default: a model, a ceiling and a floor, one leaderboard.
# Usage: sh examples/demo.sh PATH_TO_ER_BENCH
set -eu
er_bench=$1
out=runs/demo-$(date +%Y%m%d-%H%M%S)
for model in vlaser-tiny reference/oracle reference/chance; do
    "$er_bench" run --model "$model" --tasks all --split mini --out "$out/$(basename "$model")"
done
"$er_bench" leaderboard "$out"/* --json "$out/leaderboard.json"
"$er_bench" report "$out/vlaser-tiny" "$out/chance" --out "$out/report"
