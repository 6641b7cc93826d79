"""One pass: as many products as one forward pass has, compiled once for all values."""

import re
from collections import Counter

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from compilations import compilations
from data_dependent.models import TanhStack, data, init
from jax.extend.core import Literal
from tracing import flax_models

import jinit
from jinit.data_dependent.preparing import Options, prepare
from jinit.model.selectors import as_selector

OPTIONS = Options("std", "layer", "first", False, (as_selector("**"),), ())
PRODUCTS = ("dot_general", "conv_general_dilated")


def products(jaxpr, times=1):
    """How often each kind of product is computed, by a count of our own over inner programs."""
    found = Counter()
    for eqn in jaxpr.eqns:
        if eqn.primitive.name in PRODUCTS:
            found[eqn.primitive.name] += times
        inner = times * eqn.params.get("length", 1) if eqn.primitive.name == "scan" else times
        for value in eqn.params.values():
            for program in value if isinstance(value, (tuple, list)) else [value]:
                body = getattr(program, "jaxpr", program)
                if hasattr(body, "eqns") and not isinstance(program, Literal):
                    found += products(body, inner)
    return found


# By name: the model, its input, and how many products come after the last layer's outcome.
MODELS = {
    "language model": (flax_models.Language(scanned=True), np.arange(24).reshape(2, 12), 1),
    "scanned": (TanhStack(5), data(8, 16), 0),
}


@pytest.mark.parametrize("name", MODELS)
def test_as_many_products_as_one_forward_pass(name):
    module, x, unread = MODELS[name]
    with jax.numpy_rank_promotion("allow"), jax.numpy_dtype_promotion("standard"):
        variables = init(module, x)
        prepared = prepare(module, variables, (x,), {}, OPTIONS)
        arrays = [*jax.tree.leaves(variables), x]
        known = prepared.passes.known(np.zeros(prepared.passes.scheme.size), arrays)
        ours = prepared.passes.rescale.lower(arrays, known, jnp.float32(1))
        theirs = jax.jit(module.apply).lower(variables, x)
        once = products(jax.make_jaxpr(module.apply)(variables, x).jaxpr)
        traced = jax.make_jaxpr(prepared.passes.rescale)(arrays, known, jnp.float32(1))
    assert once.total() > 3
    assert products(traced.jaxpr) == once
    count = re.compile(r"stablehlo\.(dot_general|convolution)\b")
    lowered = [len(count.findall(program.as_text())) for program in (ours, theirs)]
    assert lowered[0] == lowered[1] - unread


def test_one_program_for_all_values_of_one_shape():
    module, x = TanhStack(3, scanned=False), data(8, 16)
    variables = init(module, x)
    with jax.numpy_rank_promotion("allow"):
        first, _ = jinit.lsuv(module, variables, x)
        doubled = jax.tree.map(lambda w: w * 2, variables)
        with compilations() as compiled:
            again, _ = jinit.lsuv(module, doubled, x, target=1.0)
            jinit.lsuv(module, doubled, x, target=2.0, tolerance=0.1)
        assert not compiled
        with compilations() as compiled:
            jinit.lsuv(module, variables, data(9, 16))
        assert compiled
    for one, two in zip(jax.tree.leaves(first), jax.tree.leaves(again), strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-5)


def test_what_a_function_was_given_besides_arrays_counts():
    w, x = {"w": data(4, 4), "v": data(4, 4, seed=1)}, data(8, 4, seed=2)

    def apply(params, x, deep):
        y = x @ params["w"]
        return jnp.tanh(y) @ params["v"] if deep else y

    assert len(jinit.lsuv(apply, w, x, True)[1].rows) == 2
    assert len(jinit.lsuv(apply, w, x, False)[1].rows) == 1
    assert len(jinit.lsuv(apply, w, x, True)[1].rows) == 2
    tied = dict.fromkeys(w, jnp.asarray(w["w"]))
    assert len(jinit.lsuv(apply, tied, x, True)[1].rows) == 1


def test_deep_models_share_what_is_compiled():
    """Layers of one shape, one after another: a few programs for all, and the same scales."""
    depth, x = 30, data(32, 8)
    weights = [data(8, 8, seed=n) for n in range(depth)]

    def apply(weights, x):
        for w in weights:
            x = jnp.tanh(x @ w)
        return x

    with compilations() as compiled:
        new, report = jinit.lsuv(apply, weights, x)
    assert len(report.rows) == depth
    assert len(compiled) < depth
    assert jinit.lsuv(apply, weights, x, verify=True)[1].deviation < 1e-5
    prepared = prepare(apply, weights, (x,), {}, OPTIONS)
    assert products(prepared.passes.rescale.program.jaxpr) == {"dot_general": depth}
    h = x.astype(np.float64)
    for w in new:
        y = h @ np.asarray(w, np.float64)
        assert abs(y.std() - 1) < 1e-5
        h = np.tanh(y)
    stacked, _ = jinit.lsuv(
        lambda w, x: jax.lax.scan(lambda x, w: (jnp.tanh(x @ w), None), x, w), np.stack(weights), x
    )
    np.testing.assert_allclose(np.stack(new), stacked, rtol=1e-5)
