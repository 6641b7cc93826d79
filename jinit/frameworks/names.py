"""The names that frameworks share, and the scheme that each means by one.

May import: `jinit.schemes`, and of `jinit.frameworks` the frameworks.
"""

import functools
from typing import Any

from jinit.frameworks import caffe, equinox, haiku, keras, lux, mxnet, tensorflow, torch
from jinit.schemes import (
    distributions,
    embeddings,
    glorot,
    he,
    lecun,
    orthogonality,
    sparsity,
    variance,
)

__all__ = ["MATRICES", "OTHER_NAMES", "vocabulary"]

# Names that are about matrices.
MATRICES = ("embedding", "linear", "sparse")
OTHER_NAMES = {
    "dense": "linear",
    "glorot_normal": "xavier_normal",
    "glorot_uniform": "xavier_uniform",
    "kaiming_normal": "he_normal",
    "kaiming_uniform": "he_uniform",
}


@functools.cache
def vocabulary() -> dict[str, dict[str, Any]]:
    """By name, then by framework: the scheme of that name with the framework's own defaults."""
    return {**_distributions(), **_normals(), **_uniforms(), **_structures(), **_layers()}


def _distributions() -> dict[str, dict[str, Any]]:
    tf = tensorflow
    return {
        "normal": {
            "jax": distributions.normal(),
            "torch": torch.normal_(),
            "keras": keras.RandomNormal(),
            "tensorflow": tf.random_normal_initializer(),
            "mxnet": mxnet.Normal(),
            "caffe": caffe.gaussian(),
            "haiku": haiku.RandomNormal(),
            "lux": lux.randn32(),
        },
        "truncated_normal": {
            "jax": distributions.truncated_normal(0.02),
            "torch": torch.trunc_normal_(std=0.02),
            "keras": keras.TruncatedNormal(stddev=0.02),
            "tensorflow": tf.truncated_normal_initializer(stddev=0.02),
            "haiku": haiku.TruncatedNormal(0.02),
            "lux": lux.truncated_normal(std=0.02),
        },
        "uniform": {
            "jax": distributions.uniform(),
            "torch": torch.uniform_(),
            "keras": keras.RandomUniform(),
            "tensorflow": tf.random_uniform_initializer(),
            "mxnet": mxnet.Uniform(),
            "caffe": caffe.uniform(),
            "haiku": haiku.RandomUniform(),
            "lux": lux.rand32(),
        },
    }


def _normals() -> dict[str, dict[str, Any]]:
    tf = tensorflow
    return {
        "he_normal": {
            "jax": he.he_normal(),
            "torch": torch.kaiming_normal_(),
            "keras": keras.HeNormal(),
            "tensorflow": tf.he_normal(),
            "mxnet": mxnet.MSRAPrelu(),
            "caffe": caffe.msra(),
            "lux": lux.kaiming_normal(),
        },
        "lecun_normal": {
            "jax": lecun.lecun_normal(),
            "keras": keras.LecunNormal(),
            "tensorflow": tf.lecun_normal(),
            "tensorflow (early)": tf.lecun_normal(legacy=True),
        },
        "variance_scaling": {
            "jax": variance.variance_scaling(2.0, "fan_in", "normal"),
            "keras": keras.VarianceScaling(2.0, "fan_in", "normal"),
            "tensorflow": tf.variance_scaling_initializer(2.0, "fan_in", "normal"),
            "tensorflow (early)": tf.variance_scaling_initializer(
                2.0, "fan_in", "normal", legacy=True
            ),
            "tf.contrib": tf.contrib.variance_scaling_initializer(),
            "haiku": haiku.VarianceScaling(2.0, "fan_in", "normal"),
        },
        "xavier_normal": {
            "jax": glorot.glorot_normal(),
            "torch": torch.xavier_normal_(),
            "keras": keras.GlorotNormal(),
            "tensorflow": tf.glorot_normal_initializer(),
            "tf.contrib": tf.contrib.xavier_initializer(uniform=False),
            "mxnet": mxnet.Xavier("gaussian"),
            "lux": lux.glorot_normal(),
        },
    }


def _uniforms() -> dict[str, dict[str, Any]]:
    tf = tensorflow
    return {
        "he_uniform": {
            "jax": he.he_uniform(),
            "torch": torch.kaiming_uniform_(),
            "keras": keras.HeUniform(),
            "tensorflow": tf.he_uniform(),
            "lux": lux.kaiming_uniform(),
        },
        "xavier_uniform": {
            "jax": glorot.glorot_uniform(),
            "torch": torch.xavier_uniform_(),
            "keras": keras.GlorotUniform(),
            "tensorflow": tf.glorot_uniform_initializer(),
            "tf.contrib": tf.contrib.xavier_initializer(),
            "mxnet": mxnet.Xavier(),
            "caffe": caffe.xavier(),
            "lux": lux.glorot_uniform(),
        },
    }


def _structures() -> dict[str, dict[str, Any]]:
    return {
        "orthogonal": {
            "jax": orthogonality.orthogonal(),
            "torch": torch.orthogonal_(),
            "keras": keras.Orthogonal(),
            "tensorflow": tensorflow.orthogonal_initializer(),
            "mxnet": mxnet.Orthogonal(),
            "haiku": haiku.Orthogonal(),
            "lux": lux.orthogonal(),
        },
        "sparse": {
            "jinit": sparsity.sparse(0.9),
            "torch": torch.sparse_(0.9),
            "caffe": caffe.gaussian(std=0.01, sparse=15),
            "lux": lux.sparse_init(sparsity=0.9),
        },
    }


def _layers() -> dict[str, dict[str, Any]]:
    linear = {
        "keras": keras.dense().weight,
        "haiku": haiku.linear().weight,
        "equinox": equinox.linear().weight,
        "mxnet": mxnet.Uniform(),
        "caffe": caffe.constant(),
    }
    return {
        "conv_transpose": {
            "jax": lecun.lecun_normal(),
            "torch": torch.conv_transpose2d().weight,
            **linear,
        },
        "embedding": {
            "jax": embeddings.embedding(),
            "torch": torch.embedding().weight,
            "keras": keras.embedding().weight,
            "haiku": haiku.embed().weight,
            "equinox": equinox.embedding().weight,
            "lux": lux.embedding().weight,
        },
        "linear": {
            "jax": lecun.lecun_normal(),
            "torch": torch.linear().weight,
            **linear,
            "lux": lux.dense().weight,
        },
    }
