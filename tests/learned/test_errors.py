"""What cannot be learned from, and what is said about it."""

import sys

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jinit

PARAMS = {"layer": {"kernel": jnp.ones((3, 2)), "bias": jnp.zeros(2)}}
X = np.ones((4, 3), np.float32)


def loss(params, x):
    return jnp.mean((x @ params["layer"]["kernel"] + params["layer"]["bias"][None] - 1) ** 2)


def batches(step):
    return X


BOTH = pytest.mark.parametrize("learn", [jinit.gradinit, jinit.metainit])


@pytest.mark.parametrize(
    ("learn", "options", "error", "message"),
    [
        (
            jinit.gradinit,
            {"optimizer": "adm"},
            ValueError,
            r"`optimizer` \(='adm'\) must be one of 'adam', 'sgd'; did you mean 'adam'\?",
        ),
        (jinit.gradinit, {"eta": 0.0}, ValueError, r"`eta` \(=0.0\) must be > 0"),
        (jinit.gradinit, {"gamma": -1.0}, ValueError, r"`gamma` \(=-1.0\) must be > 0"),
        (jinit.gradinit, {"clip": 0}, ValueError, r"`clip` \(=0\) must be > 0"),
        (jinit.gradinit, {"overlap": 1.5}, ValueError, r"`overlap` \(=1.5\) must lie in \[0, 1\]"),
        (jinit.metainit, {"momentum": 1.0}, ValueError, r"`momentum` \(=1.0\) must lie in \[0, 1"),
        (jinit.metainit, {"eps": 0.0}, ValueError, r"`eps` \(=0.0\) must be > 0"),
        *(
            (learn, options, error, message)
            for learn in (jinit.gradinit, jinit.metainit)
            for options, error, message in [
                ({"steps": 0}, ValueError, r"`steps` \(=0\) must be at least 1"),
                ({"steps": 2.5}, TypeError, r"`steps` \(=2.5\) must be an int"),
                ({"learning_rate": -0.1}, ValueError, r"`learning_rate` \(=-0.1\) must be > 0"),
                ({"min_scale": -1}, ValueError, r"`min_scale` \(=-1\) must be >= 0"),
                (
                    {"only": "**/weight"},
                    jinit.RuleError,
                    r"`only` \(='\*\*/weight'\) selects no leaf; paths are such as "
                    "'layer/bias', 'layer/kernel'",
                ),
                (
                    {"stacked": {"none/*": 1}},
                    jinit.RuleError,
                    "'none/\\*' in `stacked` selects no leaf",
                ),
            ]
        ),
    ],
)
def test_options(learn, options, error, message):
    with pytest.raises(error, match=message):
        learn(loss, PARAMS, batches, **options)


def test_leaves_without_a_scale():
    with pytest.raises(
        ValueError,
        match=r"no leaf can be scaled: layer/bias float32\[2\] is zero; draw weights first, and "
        "let `only` select some of them",
    ):
        jinit.gradinit(loss, PARAMS, batches, only="**/bias")
    with pytest.raises(
        ValueError, match=r"layer/bias float32\[2\] has fewer than 2 axes; draw weights first"
    ):
        jinit.metainit(loss, PARAMS, batches, only="**/bias")


@BOTH
@pytest.mark.parametrize(
    ("params", "error", "message"),
    [
        ({}, ValueError, r"`params` \(a dict\) holds no floating parameter"),
        ({"n": jnp.arange(3)}, ValueError, "holds no floating parameter; pass what `loss` takes"),
        (
            {"w": jax.ShapeDtypeStruct((2, 3), "float32")},
            ValueError,
            r"w float32\[2,3\] has no values; initialize the model first \(jinit.initialize\)",
        ),
        (
            {"w": jnp.ones((2, 2), jnp.complex64)},
            TypeError,
            r"w complex64\[2,2\] is complex, for which the objectives are not defined",
        ),
        ({"w": "text"}, TypeError, "leaves must be arrays"),
    ],
)
def test_parameters(learn, params, error, message):
    with pytest.raises(error, match=message):
        learn(loss, params, batches)


@BOTH
def test_traced_parameters(learn):
    with pytest.raises(TypeError, match=r"layer/bias float32\[2\] is traced and has no values yet"):
        jax.jit(lambda params: learn(loss, params, batches)[0])(PARAMS)


@BOTH
@pytest.mark.parametrize(
    ("outcome", "got"),
    [
        (lambda value: value[None], r"float32\[1\]"),
        (lambda value: (value, {}), "a tuple"),
        (lambda value: value.astype(jnp.int32), r"int32\[\]"),
        (lambda value: None, "a NoneType"),
    ],
)
def test_losses_that_are_no_number(learn, outcome, got):
    with pytest.raises(
        ValueError,
        match=f"`loss` must return one floating number, and returned {got}; take the mean over",
    ):
        learn(lambda params, x: outcome(loss(params, x)), PARAMS, batches)


def nan_from(first):
    """Batches, of which those from `first` on are not numbers."""
    return lambda step: X if step < first else X * np.float32(np.nan)


@BOTH
def test_a_loss_that_is_nan(learn):
    with pytest.raises(
        jinit.InitializationError,
        match="the loss is nan at the start, before any scale has changed; start from smaller",
    ):
        learn(loss, PARAMS, nan_from(0))
    with pytest.raises(
        jinit.InitializationError,
        match="the loss is nan at step 3; lower `learning_rate`, or look at the batch",
    ):
        learn(loss, PARAMS, nan_from(3), **({"overlap": 1} if learn is jinit.gradinit else {}))


def test_a_loss_that_is_nan_after_one_step():
    with pytest.raises(
        jinit.InitializationError,
        match="the loss after one step of the optimizer is nan at step 2; lower `learning_rate`",
    ):
        jinit.gradinit(loss, PARAMS, nan_from(3), gamma=np.inf)


def test_a_gradient_that_is_nan():
    """The square root has none at zero, times zero."""

    def rooted(params, x):
        return loss(params, x) + jnp.sqrt(params["layer"]["bias"] * 0).sum()

    with pytest.raises(
        jinit.InitializationError,
        match=r"the gradient of layer/bias float32\[2\] is not finite at the start, before any",
    ):
        jinit.gradinit(rooted, PARAMS, batches)


def kinked(params, x):
    """At zero `u^1.5` has a derivative, and an infinite second one."""
    kink = (params["layer"]["kernel"] - 1) ** 1.5
    return 100 * loss(params, x) + kink[0].sum() - kink[1].sum()


def test_second_derivatives_that_are_none():
    with pytest.raises(
        jinit.InitializationError,
        match="the derivative of the objective with respect to the scale of layer/kernel "
        r"float32\[3,2\] is nan at the start, before any scale has changed; leave the leaf out "
        "with `only`, or start from smaller weights",
    ):
        jinit.gradinit(kinked, PARAMS, batches)
    with pytest.raises(
        jinit.InitializationError, match="the gradient quotient is nan at the start, before any"
    ):
        jinit.metainit(kinked, PARAMS, batches)


def test_a_gradient_that_is_zero():
    with pytest.raises(
        jinit.InitializationError,
        match="the gradient is zero at the start, before any scale has changed: the loss does not",
    ):
        jinit.metainit(lambda params, x: 0 * loss(params, x), PARAMS, batches)


@BOTH
def test_without_optax(learn, monkeypatch):
    monkeypatch.setitem(sys.modules, "optax", None)
    with pytest.raises(
        ImportError,
        match=rf"jinit.{learn.__name__} learns scales with optax, which is not installed; "
        r"python -m pip install 'jinit\[learned\]'",
    ):
        learn(loss, PARAMS, batches)


def test_batches_that_end():
    with pytest.raises(ValueError, match="`batches` ended after 3 of the 7 batches that these"):
        jinit.gradinit(loss, PARAMS, iter([X, X, X]), steps=5)
    with pytest.raises(ValueError, match="`batches` ended after 3 of the 6 batches that these"):
        jinit.metainit(loss, PARAMS, iter([X, X, X]), steps=5)
    with pytest.raises(ValueError, match="`batches` ended after 0 of the 3 batches"):
        jinit.gradinit(loss, PARAMS, [], steps=1)


def test_equinox_modules_without_weights():
    class Empty(eqx.Module):
        size: int = 3

    with pytest.raises(ValueError, match=r"`params` \(a Empty\) holds no floating parameter"):
        jinit.gradinit(lambda model, x: jnp.zeros(()), Empty(), batches)
