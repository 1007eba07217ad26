# er-bench with local checkpoints and video, on CPU or, with a CUDA build of torch, on a GPU:
#
#   docker build -t er-bench .
#   docker run --rm -v "$PWD/runs:/work/runs" er-bench run --model vlaser-tiny --tasks all --split mini
#
# TORCH chooses the build, as pip spells it: --build-arg TORCH="torch==2.13.0".
FROM python:3.11-slim

ARG TORCH="torch==2.13.0"
RUN apt-get update && apt-get install --yes --no-install-recommends git libosmesa6 \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /opt/er-bench
COPY . .
# torch goes first and alone: any other package would choose a build of its own.
RUN pip install --no-cache-dir --constraint constraints.txt "$TORCH" \
    && pip install --no-cache-dir --constraint constraints.txt --editable '.[hf,video,mujoco]'
WORKDIR /work
ENTRYPOINT ["er-bench"]
CMD ["--help"]
