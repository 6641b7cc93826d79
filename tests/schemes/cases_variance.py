"""Cases of variance scaling and its named forms."""

import numpy as np
from catalogue import Case, normal_moments, truncated_moments, uniform_moments

import jinit

# fan_in 9 * 20 = 180, fan_out 9 * 30 = 270
CONV = (3, 3, 20, 30)
DENSE = (60, 90)
TRUNCATED_STD = 0.8796256610342398


def _exact(variance: float):
    """Normal cut at two standard deviations, widened to this variance."""
    return truncated_moments(np.sqrt(variance) / TRUNCATED_STD)


def _flat(variance: float):
    return uniform_moments(-np.sqrt(3 * variance), np.sqrt(3 * variance))


def _case(init, shape, moments) -> Case:
    return Case(init, shape, moments=moments, empty=(0, *shape[1:]))


CASES = [
    _case(
        jinit.variance_scaling(1.7, "fan_in", "normal"), CONV, normal_moments(np.sqrt(1.7 / 180))
    ),
    _case(jinit.variance_scaling(1.7, "fan_out", "uniform"), CONV, _flat(1.7 / 270)),
    _case(jinit.variance_scaling(1.7, "fan_avg", "truncated_normal"), CONV, _exact(1.7 / 225)),
    _case(
        jinit.variance_scaling(1.7, "fan_geo_avg", "normal"),
        CONV,
        normal_moments(np.sqrt(1.7 / np.sqrt(180 * 270))),
    ),
    _case(
        jinit.variance_scaling(1.0, "fan_in", "normal", in_axis=(0, 1), out_axis=2, batch_axis=3),
        (3, 5, 7, 100),
        normal_moments(np.sqrt(1 / 15)),
    ),
    _case(
        jinit.variance_scaling(1.0, "fan_in", "normal", layout="OIHW"),
        (30, 20, 3, 3),
        normal_moments(np.sqrt(1 / 180)),
    ),
    _case(
        jinit.variance_scaling(1.0, "fan_out", "normal", groups=30),
        (3, 3, 1, 300),
        normal_moments(np.sqrt(1 / 90)),
    ),
    _case(
        jinit.variance_scaling(1.0, "fan_out", "normal", fans=(1, 4)), DENSE, normal_moments(0.5)
    ),
    _case(jinit.glorot_uniform(), DENSE, _flat(1 / 75)),
    _case(jinit.glorot_uniform(gain=2.0, mode="fan_in"), DENSE, _flat(4 / 60)),
    _case(jinit.glorot_normal(), DENSE, _exact(1 / 75)),
    _case(
        jinit.glorot_normal(gain="tanh", distribution="normal"),
        DENSE,
        normal_moments(5 / 3 / np.sqrt(75)),
    ),
    _case(jinit.he_uniform(), DENSE, _flat(2 / 60)),
    _case(jinit.he_uniform(mode="fan_out", negative_slope=0.5), DENSE, _flat(1.6 / 90)),
    _case(jinit.he_normal(), DENSE, _exact(2 / 60)),
    _case(
        jinit.he_normal(mode="fan_out", distribution="normal"),
        CONV,
        normal_moments(np.sqrt(2 / 270)),
    ),
    _case(jinit.he_normal(nonlinearity="gelu"), DENSE, _exact(1.533530**2 / 60)),
    _case(jinit.lecun_uniform(), DENSE, _flat(1 / 60)),
    _case(jinit.lecun_normal(), DENSE, _exact(1 / 60)),
    _case(jinit.lecun_normal(gain=0.5, mode="fan_out"), DENSE, _exact(0.25 / 90)),
]
