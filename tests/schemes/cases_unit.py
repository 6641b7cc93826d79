"""Cases of unit scaling."""

from catalogue import Case, normal_moments, uniform_moments

import jinit

CASES = [
    Case(jinit.unit_scaling(), (60, 100), normal_moments(1.0), empty=(0,)),
    Case(jinit.uniform_unit_scaling(), (3, 4, 500), uniform_moments(-0.5, 0.5), empty=(0, 3)),
    Case(jinit.uniform_unit_scaling(2.0), (48, 100), uniform_moments(-0.5, 0.5)),
]
