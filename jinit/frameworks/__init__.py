"""Other frameworks' initializers: their names, arguments, defaults and laws, drawn by jinit.

Each framework is a module: `jinit.frameworks.torch.kaiming_normal_(mode="fan_out")` is a scheme as
those of jinit are, a value and a function of a key, a shape and a dtype, and takes what torch's own
takes, in the same order, with the same defaults. Kernels are in JAX's order, `(*taps, in, out)`,
unless `layout=` says otherwise. None of the frameworks needs to be installed.
`jinit.frameworks.compare("xavier_normal")` shows what one name means in each.

>>> import jax
>>> import jinit
>>> init = jinit.frameworks.torch.kaiming_normal_(mode="fan_out", nonlinearity="relu")
>>> init(jax.random.key(0), (3, 3, 64, 128)).shape
(3, 3, 64, 128)

What a layer starts from there is a pair of schemes, for the layer here:

>>> start = jinit.frameworks.torch.linear(784)
>>> print(f"{start.weight.std((784, 512)):.4f} {start.bias.std((512,)):.4f}")
0.0206 0.0206
"""

from jinit.frameworks import caffe, equinox, haiku, keras, lux, mxnet, tensorflow, torch
from jinit.frameworks.glossary import Comparison, Meaning, compare
from jinit.frameworks.layers import Layer

__all__ = [
    "Comparison",
    "Layer",
    "Meaning",
    "caffe",
    "compare",
    "equinox",
    "haiku",
    "keras",
    "lux",
    "mxnet",
    "tensorflow",
    "torch",
]
