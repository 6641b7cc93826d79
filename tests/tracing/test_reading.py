"""A model read once: what a ledger of one's own sees on the way."""

import jax
from trees_of_models import shape

from jinit.tracing.ledger import Ledger
from jinit.tracing.reading import read_model


def test_a_ledger_sees_every_operation_calls_after_what_they_hold():
    class Watching(Ledger):
        def __init__(self):
            super().__init__()
            self.seen = []

        def see(self, eqn, facts, outcome, scope):
            assert len(facts) == len(eqn.invars)
            assert len(outcome) == len(eqn.outvars)
            self.seen.append((eqn.primitive.name, len(scope.path)))

    def layer(w, x):
        return jax.nn.relu(x @ w)

    reading = read_model(layer, shape(4, 8), [shape(2, 4)], {}, ledger=Watching())
    names, depths = zip(*reading.ledger.seen, strict=True)
    assert names[0] == "dot_general"
    assert names.index("max") < names.index("custom_jvp_call")
    assert list(depths[1:]) == sorted(depths[1:], reverse=True)
    assert depths[-1] == 0
