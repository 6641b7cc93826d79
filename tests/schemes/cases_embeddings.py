"""Cases of embeddings."""

from catalogue import Case, normal_moments

import jinit

CASES = [
    Case(jinit.embedding(), (100, 64), normal_moments(1 / 8), empty=(0, 4)),
    Case(jinit.embedding(0.02), (100, 64), normal_moments(0.02), empty=(4, 0)),
    Case(jinit.embedding(scale=2.0), (3, 50, 16), normal_moments(0.5)),
]
