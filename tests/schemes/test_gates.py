"""Biases of gated cells: blocks in the libraries' own orders, time scales, ties."""

import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jinit

KEY = jax.random.key(5)
H = 3


@pytest.mark.parametrize(
    ("gates", "expected"),
    [
        ("ifgo", [0, 2, 0, 0]),
        ("ifco", [0, 2, 0, 0]),
        ("igfo", [0, 0, 2, 0]),
        ("iofg", [0, 0, 2, 0]),
        ("fgo", [2, 0, 0]),
        ("rzn", [0, 2, 0]),
        ("zrh", [2, 0, 0]),
        ("f", [2]),
    ],
)
def test_forget_block(gates, expected):
    bias = jinit.lstm_bias(2.0, gates=gates)(None, (H * len(gates),))
    np.testing.assert_array_equal(bias, np.repeat(expected, H))


def new_cell_state_of_flax(bias):
    with warnings.catch_warnings():
        # Flax 0.12.0 asks JAX for a name that JAX 0.8 has deprecated, as it is imported.
        warnings.simplefilter("ignore", DeprecationWarning)
        from flax import nnx

    cell = nnx.OptimizedLSTMCell(2, H, rngs=nnx.Rngs(0))
    cell.dense_i.kernel[...] = jnp.zeros((2, 4 * H))
    cell.dense_h.kernel[...] = jnp.zeros((H, 4 * H))
    cell.dense_h.bias[...] = bias
    (state, _), _ = cell((jnp.ones((1, H)), jnp.ones((1, H))), jnp.ones((1, 2)))
    return np.asarray(state)[0]


def new_cell_state_of_torch(bias):
    torch = pytest.importorskip("torch")
    cell = torch.nn.LSTMCell(2, H)
    with torch.no_grad():
        for parameter in cell.parameters():
            parameter.zero_()
        cell.bias_ih.copy_(torch.from_numpy(np.array(bias)))
        return cell(torch.ones(1, 2), (torch.ones(1, H), torch.ones(1, H)))[1].numpy()[0]


@pytest.mark.parametrize("new_cell_state", [new_cell_state_of_flax, new_cell_state_of_torch])
def test_cells_keep_what_the_bias_says(new_cell_state):
    """With zero kernels the new cell state is sigmoid(b_f) * state: the block is the right one."""
    state = new_cell_state(jinit.lstm_bias(2.0)(None, (4 * H,)))
    np.testing.assert_allclose(state, np.full(H, 1 / (1 + np.exp(-2.0))), rtol=1e-5)


def test_cells_remember_for_the_chrono_times():
    """1 / (1 - sigmoid(b_f)), the steps a cell remembers, is uniform from 2 to max_time."""
    bias = jinit.chrono_bias(40, gates="f")(KEY, (20_000,))
    times = 1 / (1 - 1 / (1 + np.exp(-np.asarray(bias, np.float64))))
    assert 2 - 1e-4 <= times.min() < 2.1
    assert 39.9 < times.max() <= 40 + 1e-3
    assert times.mean() == pytest.approx(21, abs=5.33 * 38 / np.sqrt(12 * 20_000))


@pytest.mark.parametrize("init", [jinit.chrono_bias(64), jinit.uniform_gate_bias()], ids=str)
def test_unfused_gates_are_tied_by_their_key(init):
    forget, inlet = (np.asarray(init.replace(gates=g)(KEY, (H,))) for g in "fi")
    fused = np.asarray(init(KEY, (4 * H,))).reshape(4, H)
    np.testing.assert_array_equal(inlet, -forget)
    np.testing.assert_array_equal(fused[1], forget)
    np.testing.assert_array_equal(fused[0], inlet)
    assert (forget != 0).all()


def test_update_gate_of_a_gru_keeps():
    bias = np.asarray(jinit.chrono_bias(64, gates="rzn")(KEY, (3 * H,))).reshape(3, H)
    assert (bias[1] > 0).all()
    assert (bias[[0, 2]] == 0).all()


def test_units_differ_across_leading_axes():
    bias = np.asarray(jinit.chrono_bias(64, gates="f")(KEY, (4, H)))
    assert len(np.unique(bias)) == bias.size


@pytest.mark.parametrize("units", [1, 2])
def test_uniform_gates_of_few_units_are_half_open(units):
    bias = jinit.uniform_gate_bias(gates="f")(KEY, (units,))
    np.testing.assert_allclose(bias, np.zeros(units), atol=1e-6)


def test_shortest_chrono_time():
    np.testing.assert_array_equal(jinit.chrono_bias(2)(KEY, (4,)), np.zeros(4))


def test_traced_forget_bias():
    bias = jax.jit(lambda forget: jinit.lstm_bias(forget)(None, (4,)))(1.5)
    assert bias.tolist() == [0, 1.5, 0, 0]


def test_errors():
    with pytest.raises(ValueError, match=r"the last axis \(=10\) of the bias \(10,\) must be div"):
        jinit.lstm_bias()(None, (10,))
    with pytest.raises(ValueError, match=r"`gates` \(='ifx'\) must be distinct letters of 'cfghin"):
        jinit.lstm_bias(gates="ifx")
    with pytest.raises(ValueError, match=r"`gates` \(='iffo'\) must be distinct letters"):
        jinit.lstm_bias(gates="iffo")
    with pytest.raises(ValueError, match=r"`gates` \(=''\) must be distinct letters"):
        jinit.chrono_bias(9, gates="")
    with pytest.raises(ValueError, match=r"`gates` \(='igo'\) has no gate .* one of 'f', 'z' must"):
        jinit.lstm_bias(gates="igo")
    with pytest.raises(ValueError, match=r"has no gate for the bias to set; one of 'f', 'i', 'z'"):
        jinit.uniform_gate_bias(gates="go")
    with pytest.raises(ValueError, match=r"`max_time` \(=1.5\) must be a number of steps, at leas"):
        jinit.chrono_bias(1.5)
    with pytest.raises(ValueError, match=r"`forget` has shape \(3,\), which does not broadcast"):
        jinit.lstm_bias([1.0, 2.0, 3.0])(None, (8,))
    with pytest.raises(ValueError, match=r"jinit.chrono_bias is not defined for complex weights"):
        jinit.chrono_bias(9)(KEY, (4,), jnp.complex64)
    with pytest.raises(ValueError, match=r"`shape` \(=\(\)\) has no axis"):
        jinit.lstm_bias()(None, ())
