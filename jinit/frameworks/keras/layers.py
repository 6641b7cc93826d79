"""What the layers of Keras start from.

May import: `jinit.schemes`, and of `jinit.frameworks` layers,
keras.fills, keras.scaled.
"""

from typing import NamedTuple

from jinit.frameworks.keras.fills import RandomUniform
from jinit.frameworks.keras.scaled import GlorotUniform, Orthogonal
from jinit.frameworks.layers import Layer
from jinit.initializer import Initializer
from jinit.schemes.constants import zeros
from jinit.schemes.gates import lstm_bias

__all__ = ["Recurrent", "conv", "dense", "embedding", "gru", "lstm", "simple_rnn"]


class Recurrent(NamedTuple):
    """The start of a recurrent layer, under Keras' names of its parameters.

    `kernel` is `(inputs, gates * units)` and `recurrent_kernel` `(units, gates * units)`, all gates
    side by side, as Keras stores them.
    """

    kernel: Initializer
    recurrent_kernel: Initializer
    bias: Initializer


def dense() -> Layer:
    """`keras.layers.Dense`, also `EinsumDense`: Glorot uniform, bias 0.

    >>> dense().weight
    jinit.frameworks.keras.GlorotUniform()
    """
    return Layer(GlorotUniform(), zeros())


def conv() -> Layer:
    """`keras.layers.Conv1D` to `3D`, transposed and depthwise ones too: Glorot uniform, bias 0.

    The fans are those of the kernel as Keras stores it. A depthwise kernel is `(*taps, channels,
    multiplier)` there and has `fan_in = taps * channels`; stored as `(*taps, 1, channels)`, as in
    Flax, it would have `fan_in = taps` and `fan_out = taps * channels`.
    """
    return Layer(GlorotUniform(), zeros())


def embedding() -> Layer:
    """`keras.layers.Embedding`: `W ~ U[-0.05, 0.05)`."""
    return Layer(RandomUniform())


def simple_rnn() -> Recurrent:
    """`keras.layers.SimpleRNN`: Glorot uniform, orthogonal recurrent kernel, bias 0."""
    return Recurrent(GlorotUniform(), Orthogonal(), zeros())


def lstm(unit_forget_bias: bool = True) -> Recurrent:
    """`keras.layers.LSTM`: Glorot uniform, orthogonal, bias 1 in the forget gate and 0 elsewhere.

    Args:
        unit_forget_bias: whether the forget gate starts at 1, and not at 0 as the others.

    >>> lstm().bias(None, (8,)).tolist()
    [0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0]
    """
    bias = lstm_bias() if unit_forget_bias else zeros()
    return Recurrent(GlorotUniform(), Orthogonal(), bias)


def gru() -> Recurrent:
    """`keras.layers.GRU`: Glorot uniform, orthogonal recurrent kernel, bias 0.

    The bias is `(2, 3 * units)`, one row for each kernel.
    """
    return Recurrent(GlorotUniform(), Orthogonal(), zeros())
