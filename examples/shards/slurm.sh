#!/bin/bash
# A SLURM array: each job takes its part of the samples, the last step merges.
#
#   sbatch --array=1-8 examples/shards/slurm.sh vlaser-8b qa,pointing runs/vlaser
#   sbatch --dependency=singleton examples/shards/slurm.sh merge runs/vlaser
#
#SBATCH --job-name=er-bench
#SBATCH --gres=gpu:1
#SBATCH --cpus-per-task=8
set -eu
if [ "$1" = merge ]; then
    exec er-bench merge "$2/parts" --out "$2/whole"
fi
part="$3/parts/$SLURM_ARRAY_TASK_ID"
resume=
if [ -e "$part/manifest.json" ]; then resume=--resume; fi # a job that was requeued goes on
er-bench run --model "$1" --tasks "$2" \
    --shard "$SLURM_ARRAY_TASK_ID/$SLURM_ARRAY_TASK_COUNT" --out "$part" $resume
