"""Which samples make which step."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from er_bench.train.data.batches import Stream, pack, plan_batches

LENGTHS = np.random.default_rng(0).integers(1, 200, 90).astype(np.int32)


def plan(lengths=LENGTHS, **settings):
    defaults = {
        "batching": "shuffled",
        "sequence_length": 200,
        "global_batch_size": 8,
        "micro_batch_size": 2,
        "epochs": 1,
        "max_steps": None,
        "seed": 0,
    }
    return plan_batches(lengths, **{**defaults, **settings})


def places(batches):
    return [p for row in batches.rows for p in row]


@given(st.lists(st.integers(1, 100), max_size=200))
def test_packing_uses_every_sample_once_and_never_overfills(costs):
    packs = pack(np.array(costs, np.int32), 100)
    assert sorted(sample for row in packs for sample in row) == list(range(len(costs)))
    loads = [sum(costs[sample] for sample in row) for row in packs]
    assert all(load <= 100 for load in loads)
    # Best fit leaves no two rows that would go into one.
    assert all(a + b > 100 for k, a in enumerate(loads) for b in loads[:k])


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 60),
    st.sampled_from(["shuffled", "grouped", "packed"]),
    st.sampled_from([(8, 2), (4, 4), (6, 1)]),
    st.floats(0.1, 3.0),
    st.integers(0, 5),
)
def test_epochs_see_every_sample_equally_often_but_for_the_last_step(n, batching, sizes, epochs, s):
    batches = plan(
        LENGTHS[:n],
        batching=batching,
        epochs=epochs,
        global_batch_size=sizes[0],
        micro_batch_size=sizes[1],
        seed=s,
    )
    assert len(batches.rows) == batches.steps * sizes[0] == len(batches) * sizes[1]
    used = places(batches)
    assert len(set(used)) == len(used)
    wanted = int(np.ceil(epochs * n))
    assert set(range(wanted)) <= set(used)
    last_rows = batches.rows[-sizes[0] :]
    assert all(p < wanted for row in batches.rows[: -sizes[0]] for p in row)
    assert any(p < wanted for row in last_rows for p in row)


def test_a_pass_is_a_permutation_and_passes_differ():
    stream = Stream(50, seed=3)
    first, second = stream.samples(np.arange(50)), stream.samples(np.arange(50, 100))
    assert sorted(first) == sorted(second) == list(range(50))
    assert (first != second).any()
    # Any order of asking gives the same samples.
    assert (stream.samples(np.arange(99, -1, -1))[::-1] == [*first, *second]).all()


@pytest.mark.parametrize("batching", ["shuffled", "grouped", "packed"])
def test_steps_do_not_depend_on_the_micro_batch(batching):
    one, four = (plan(batching=batching, micro_batch_size=m) for m in (1, 4))
    assert one.rows == four.rows
    other = plan(batching=batching, seed=1)
    assert (other.sample_at[places(other)][:40] != one.sample_at[places(one)][:40]).any()


def test_max_steps_or_epochs_whichever_is_first():
    assert plan(max_steps=3).steps == 3
    assert plan(max_steps=1000).steps == 12  # 90 samples by 8, the last step filled up
    assert plan(epochs=None, max_steps=100).steps == 100


def test_grouping_and_packing_save_padding():
    random = np.random.default_rng(1)
    lengths = np.concatenate([random.integers(20, 60, 400), random.integers(900, 1000, 100)])
    share = {
        batching: plan(
            lengths.astype(np.int32),
            batching=batching,
            sequence_length=1000,
            micro_batch_size=8,
        ).padding_share()
        for batching in ("shuffled", "grouped", "packed")
    }
    assert share["shuffled"] > 0.5
    assert share["grouped"] < 0.2
    assert share["packed"] < 0.05


def test_tokens_are_counted_without_padding():
    batches = plan(batching="packed", epochs=2)
    seen = batches.sample_at[places(batches)]
    assert batches.step_tokens.sum() == LENGTHS[seen].sum()
    assert len(batches.step_tokens) == batches.steps
    assert batches.samples_seen == len(seen) >= 180
