"""TensorFlow 1: the initializers of `tf.compat.v1`, and those of `tf.contrib.layers`."""

from jinit.frameworks.tensorflow import contrib
from jinit.frameworks.tensorflow.convolutions import (
    convolutional_delta_orthogonal,
    convolutional_orthogonal_1d,
    convolutional_orthogonal_2d,
    convolutional_orthogonal_3d,
)
from jinit.frameworks.tensorflow.fills import (
    constant_initializer,
    identity_initializer,
    ones_initializer,
    random_normal_initializer,
    random_uniform_initializer,
    truncated_normal_initializer,
    zeros_initializer,
)
from jinit.frameworks.tensorflow.scaled import (
    glorot_normal_initializer,
    glorot_uniform_initializer,
    he_normal,
    he_uniform,
    lecun_normal,
    lecun_uniform,
    orthogonal_initializer,
    uniform_unit_scaling_initializer,
    variance_scaling_initializer,
)

__all__ = [
    "constant_initializer",
    "contrib",
    "convolutional_delta_orthogonal",
    "convolutional_orthogonal_1d",
    "convolutional_orthogonal_2d",
    "convolutional_orthogonal_3d",
    "glorot_normal_initializer",
    "glorot_uniform_initializer",
    "he_normal",
    "he_uniform",
    "identity_initializer",
    "lecun_normal",
    "lecun_uniform",
    "ones_initializer",
    "orthogonal_initializer",
    "random_normal_initializer",
    "random_uniform_initializer",
    "truncated_normal_initializer",
    "uniform_unit_scaling_initializer",
    "variance_scaling_initializer",
    "zeros_initializer",
]
