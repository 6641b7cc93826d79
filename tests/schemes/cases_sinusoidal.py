"""Cases of SIREN."""

import numpy as np
from catalogue import Case, uniform_moments

import jinit

HIDDEN = np.sqrt(6 / 60) / 30

CASES = [
    Case(jinit.siren(), (60, 100), uniform_moments(-HIDDEN, HIDDEN), empty=(0, 3)),
    Case(
        jinit.siren(1.0, layout="OIHW"),
        (100, 6, 3, 3),
        uniform_moments(-(1 / 3), 1 / 3),
    ),
    Case(jinit.siren(first=True), (5, 1000), uniform_moments(-0.2, 0.2), empty=(2, 0)),
]
