"""Parameter initialization for JAX: schemes that are pure functions, and values.

May import: every room of jinit, for its public names only.
"""

from jinit.config import from_config, get, to_config
from jinit.fans import Fans, compute_fans
from jinit.gains import calculate_gain
from jinit.initializer import Initializer
from jinit.schemes.constants import constant, from_array, ones, zeros
from jinit.schemes.distributions import normal, truncated_normal, uniform
from jinit.schemes.glorot import glorot_normal, glorot_uniform, xavier_normal, xavier_uniform
from jinit.schemes.he import he_normal, he_uniform, kaiming_normal, kaiming_uniform
from jinit.schemes.lecun import lecun_normal, lecun_uniform
from jinit.schemes.variance import variance_scaling

__version__ = "0.1.0"

__all__ = [
    "Fans",
    "Initializer",
    "calculate_gain",
    "compute_fans",
    "constant",
    "from_array",
    "from_config",
    "get",
    "glorot_normal",
    "glorot_uniform",
    "he_normal",
    "he_uniform",
    "kaiming_normal",
    "kaiming_uniform",
    "lecun_normal",
    "lecun_uniform",
    "normal",
    "ones",
    "to_config",
    "truncated_normal",
    "uniform",
    "variance_scaling",
    "xavier_normal",
    "xavier_uniform",
    "zeros",
]
