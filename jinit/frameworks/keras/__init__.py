"""Keras 3: `keras.initializers`, and what its layers start from."""

from jinit.frameworks.keras.fills import (
    STFT,
    Constant,
    Identity,
    Ones,
    RandomNormal,
    RandomUniform,
    TruncatedNormal,
    Zeros,
)
from jinit.frameworks.keras.layers import Recurrent, conv, dense, embedding, gru, lstm, simple_rnn
from jinit.frameworks.keras.names import get
from jinit.frameworks.keras.scaled import (
    GlorotNormal,
    GlorotUniform,
    HeNormal,
    HeUniform,
    LecunNormal,
    LecunUniform,
    Orthogonal,
    VarianceScaling,
)

# Keras' own second names.
constant, identity, ones, stft, zeros = Constant, Identity, Ones, STFT, Zeros
random_normal, random_uniform = RandomNormal, RandomUniform
truncated_normal, orthogonal = TruncatedNormal, Orthogonal
variance_scaling = VarianceScaling
glorot_normal, glorot_uniform = GlorotNormal, GlorotUniform
he_normal, he_uniform = HeNormal, HeUniform
lecun_normal, lecun_uniform = LecunNormal, LecunUniform
IdentityInitializer, OrthogonalInitializer, STFTInitializer = Identity, Orthogonal, STFT

__all__ = [
    "STFT",
    "Constant",
    "GlorotNormal",
    "GlorotUniform",
    "HeNormal",
    "HeUniform",
    "Identity",
    "IdentityInitializer",
    "LecunNormal",
    "LecunUniform",
    "Ones",
    "Orthogonal",
    "OrthogonalInitializer",
    "RandomNormal",
    "RandomUniform",
    "Recurrent",
    "STFTInitializer",
    "TruncatedNormal",
    "VarianceScaling",
    "Zeros",
    "constant",
    "conv",
    "dense",
    "embedding",
    "get",
    "glorot_normal",
    "glorot_uniform",
    "gru",
    "he_normal",
    "he_uniform",
    "identity",
    "lecun_normal",
    "lecun_uniform",
    "lstm",
    "ones",
    "orthogonal",
    "random_normal",
    "random_uniform",
    "simple_rnn",
    "stft",
    "truncated_normal",
    "variance_scaling",
    "zeros",
]
