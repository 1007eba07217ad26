# The main job on the embedded default: a model, beside its own earlier weights, a ceiling and a
# floor, one leaderboard; then
# closed-loop episodes in a built-in home, and pages of all of it.
# Usage: sh examples/demo.sh PATH_TO_ER_BENCH
set -eu
er_bench=$1
out=runs/demo-$(date +%Y%m%d-%H%M%S)
for model in vlaser-tiny reference/oracle reference/chance; do
    "$er_bench" run --model "$model" --tasks all --split mini --out "$out/$(basename "$model")"
done
for model in reference/oracle reference/chance; do
    "$er_bench" run --model "$model" --tasks home_rearrange --split mini \
        --out "$out/home/$(basename "$model")"
done
runs="$out/vlaser-tiny $out/oracle $out/chance"
"$er_bench" compare examples/vlaser-tiny-earlier "$out/vlaser-tiny"
"$er_bench" leaderboard $runs --json "$out/leaderboard.json"
"$er_bench" leaderboard $runs --format html --out "$out/site"
"$er_bench" report "$out/home/oracle" "$out/home/chance" --out "$out/home/report"
"$er_bench" report "$out/vlaser-tiny" "$out/chance" --out "$out/report"
