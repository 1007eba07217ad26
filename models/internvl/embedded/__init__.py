"""How the embedded model is made: tokenizer, first weights, vision first and then language.

`python -m er_bench.models.internvl.embedded --help` writes the folder that supervised
fine-tuning starts from, and the conversations that it trains on.
"""
