"""Cases of sparse and normalized columns."""

from catalogue import Case
from structures import counts, sums

import jinit

CASES = [
    Case(jinit.sparse(0.07, 2.0), (100, 30), check=counts(0, 93, 2.0), empty=(0, 3)),
    Case(jinit.sparse(nonzeros=15, stddev=1.0), (4, 3, 5, 90), check=counts((0, 1, 2), 15, 1.0)),
    Case(jinit.positive_unitball(), (30, 20), check=sums(0), complexes=False, empty=(0, 3)),
]
