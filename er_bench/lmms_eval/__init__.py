"""er-bench's static tasks and models as lmms-eval 0.7.3 runs them.

`er-bench lmms-eval-path` writes a folder for `--include_path` (`folder.py`), whose YAML files name
the functions of `offered.py`; the entry point `er_bench` of `lmms_eval.models` brings `model.py`.
"""
