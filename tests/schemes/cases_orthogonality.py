"""Cases of orthogonal kernels, dense and convolutional, and of the other isometries."""

import math

from catalogue import Case, normal_moments
from structures import conv_isometry, many_matrices, matrix_at_centre, mirrored, one_matrix

import jinit


def _case(init, shape, check, empty=None) -> Case:
    return Case(init, shape, check=check, empty=empty)


CASES = [
    _case(jinit.orthogonal(), (16, 24), one_matrix(16, 24), (0, 4)),
    _case(
        jinit.orthogonal("relu"),
        (3, 3, 4, 8),
        one_matrix(36, 8, scale=math.sqrt(2)),
        (0, 3, 4, 8),
    ),
    _case(jinit.orthogonal(2.5, batch_axis=0), (3, 8, 6), many_matrices(0, 2.5), (3, 0, 6)),
    _case(jinit.delta_orthogonal(), (3, 3, 6, 8), matrix_at_centre(), (3, 3, 0, 4)),
    _case(jinit.conv_orthogonal(), (3, 3, 6, 8), conv_isometry(), (3, 3, 0, 4)),
    _case(jinit.scaled_uniform_orthogonal(), (16, 64), one_matrix(16, 64, scale=2.0), empty=(0, 4)),
    _case(
        jinit.scaled_uniform_orthogonal(delta=True),
        (3, 3, 4, 9),
        matrix_at_centre(1.5),
        empty=(3, 3, 0, 4),
    ),
    _case(jinit.spectral(), (64, 16), one_matrix(64, 16, scale=0.5), (0, 4)),
    Case(
        jinit.spectral(2.0, distribution="normal"),
        (90, 60),
        normal_moments(2 * math.sqrt(60) / 90),
        empty=(0, 4),
    ),
    _case(jinit.looks_linear(), (12, 16), mirrored(6, 8, "hidden"), (0, 4)),
]
