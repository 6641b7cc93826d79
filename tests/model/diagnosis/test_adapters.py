"""Low-rank adapters that cannot learn, or change the model from the start."""

import jax.numpy as jnp
import pytest
from checked import drawn

from jinit.model.checks import check

PAIRS = {
    "as usual": (True, False, None),
    "the other way round": (False, True, None),
    "both zero": (False, False, "error"),
    "neither zero": (True, True, "warning"),
}


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize(
    "names",
    [("lora_a", "lora_b"), ("lora_A/kernel", "lora_B/kernel"), ("q_lora_down", "q_lora_up")],
)
def test_pairs_of_low_rank_factors(name, names):
    first, second, severity = PAIRS[name]
    values = (
        drawn((64, 4), seed=1) if first else jnp.zeros((64, 4)),
        drawn((4, 64), seed=2) if second else jnp.zeros((4, 64)),
    )
    result = check({"q": dict(zip(names, values, strict=True)), "lora_alpha": jnp.ones(())})
    assert [(f.kind, f.path, f.others, f.severity) for f in result.findings] == [
        ("lora", f"q/{names[0]}", (f"q/{names[1]}",), severity)
    ] * (severity is not None)
