#!/bin/sh
# One machine, one process a GPU: sh examples/shards/gpus.sh 4 vlaser-8b qa,pointing runs/vlaser
# Without a GPU the processes share the CPU: sh examples/shards/gpus.sh 2 vlaser-tiny erqa runs/tiny --split mini
set -eu
n=$1 model=$2 tasks=$3 out=$4
shift 4
pids=
for i in $(seq "$n"); do
    CUDA_VISIBLE_DEVICES=$((i - 1)) er-bench run --model "$model" --tasks "$tasks" \
        --shard "$i/$n" --out "$out/parts/$i" --quiet "$@" >"$out.$i.log" 2>&1 &
    pids="$pids $!"
done
for pid in $pids; do wait "$pid" || echo "a part ended with $?; its log is $out.*.log" >&2; done
er-bench merge "$out/parts" --out "$out/whole"
