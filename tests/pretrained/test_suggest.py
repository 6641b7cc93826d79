"""Suggestions: what is likely by name and shape, which loads, and how it reads."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jinit
from jinit.pretrained import suggest
from jinit.pretrained.names_alike import likeness


def leaf(*shape):
    return jax.ShapeDtypeStruct(shape, jnp.dtype("float32"))


def drawn(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def checkpoint():
    """Square layers, whose shapes tell nothing, among others."""
    tensors = {"embeddings.word.weight": drawn(50, 8), "embeddings.position.weight": drawn(16, 8)}
    for n in range(3):
        for seed, name in enumerate(("query", "key", "value", "output")):
            tensors[f"encoder.layer.{n}.attention.{name}.weight"] = drawn(8, 8, seed=10 * n + seed)
            tensors[f"encoder.layer.{n}.attention.{name}.bias"] = drawn(8, seed=10 * n + seed)
        tensors[f"encoder.layer.{n}.norm.weight"] = drawn(8, seed=7)
        tensors[f"encoder.layer.{n}.norm.bias"] = drawn(8, seed=8)
    tensors["classifier.weight"] = drawn(3, 8)
    return tensors


def model():
    block = {
        "attn": {
            name: {"kernel": leaf(8, 8), "bias": leaf(8)} for name in ("q", "k", "v", "output")
        },
        "ln": {"scale": leaf(8), "bias": leaf(8)},
    }
    return {
        "word_emb": {"embedding": leaf(50, 8)},
        "pos_emb": {"embedding": leaf(16, 8)},
        **{f"layers_{n}": block for n in range(3)},
        "head": {"kernel": leaf(8, 3)},
    }


def test_every_leaf_of_a_known_kind_is_found_and_loads():
    tensors = checkpoint()
    found = suggest(model(), tensors)
    assert found.left_over == ()
    assert all(row.source is not None and row.confidence > 0.5 for row in found)
    params, report = jinit.load(model(), tensors, match=found.pairs)
    assert report.totals["loaded"] == len(report) == 33
    for n in range(3):
        for short, name in (("q", "query"), ("k", "key"), ("v", "value"), ("output", "output")):
            weight = tensors[f"encoder.layer.{n}.attention.{name}.weight"]
            np.testing.assert_array_equal(params[f"layers_{n}"]["attn"][short]["kernel"], weight.T)
    np.testing.assert_array_equal(params["head"]["kernel"], tensors["classifier.weight"].T)
    np.testing.assert_array_equal(
        params["pos_emb"]["embedding"], tensors["embeddings.position.weight"]
    )


@pytest.mark.parametrize(
    ("shape", "stored", "how", "fit"),
    [
        ((4, 6), (4, 6), "", 1.0),
        ((4, 6), (6, 4), "transpose(1, 0)", 0.7),
        ((4, 2, 3), (4, 6), "reshape(4, 2, 3)", 0.3),
    ],
)
def test_shapes_that_fit_less_count_less(shape, stored, how, fit):
    (row,) = suggest({"w": leaf(*shape)}, {"w": drawn(*stored)})
    assert row.how == how
    assert row.confidence == pytest.approx(0.65 + 0.35 * fit)
    params, _ = jinit.load(
        {"w": leaf(*shape)}, {"w": drawn(*stored)}, match={"w": ("w", *row.operations)}
    )
    assert params["w"].shape == shape


def test_what_is_not_likely_is_not_suggested():
    found = suggest({"w": leaf(4), "other": leaf(9)}, {"w": drawn(4), "thing": drawn(5)})
    assert found["w"].source == "w"
    assert found["other"].source is None
    with pytest.raises(KeyError, match="no leaf has the path 'nowhere'"):
        found["nowhere"]
    assert found.left_over == ("thing",)
    assert repr(found) == "<Suggestions: 1 of 2 leaves>"
    text = str(found)
    assert "1 of 2 leaves have a likely tensor. Left over: thing." in text
    assert "<table" in found._repr_html_()
    stored = json.loads(found.to_json())
    assert stored["left_over"] == ["thing"]
    assert stored["rows"][1]["source"] == "w"


@pytest.mark.parametrize(
    ("name", "near", "far"),
    [
        ("layers_1/fc/kernel", "layers.1.linear.weight", "layers.2.linear.weight"),
        ("bn/mean", "norm.running_mean", "norm.running_var"),
        ("attn/query/kernel", "attention.q.weight", "attention.k.weight"),
        ("fc/bias", "fc.bias", "fc.weight"),
    ],
)
def test_names(name, near, far):
    assert 1 >= likeness(name, near) > likeness(name, far) >= 0
