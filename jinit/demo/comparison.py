"""The comparison: every initialization of one network measured, then trained.

May import: jax, numpy, `jinit.demo`'s other modules but `presentation`.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from jinit.demo.activations import ACTIVATIONS
from jinit.demo.data import Digits, load_split
from jinit.demo.network import MLP
from jinit.demo.settings import Settings
from jinit.demo.signal import Signal, signal_meter
from jinit.demo.starts import Start
from jinit.demo.training import LEARNING_RATES, Run, Trainer, best_run

__all__ = ["Comparison"]

_MEASURED = 256  # images in the batch that the signal is measured on


class Comparison:
    """One network, one set of images, one start for every scheme in `settings`.

    Raises:
        ValueError: a scheme cannot draw a kernel of this network; the message names it.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.digits: Digits = load_split()
        self._network = MLP(settings.depth, settings.width, ACTIVATIONS[settings.activation])
        self._trainer = Trainer(self._network, self.digits, settings.steps, settings.seed)
        key = jax.random.key(settings.seed)
        self.params = {
            name: self._draw(name, start, key) for name, start in settings.starts.items()
        }

    def _draw(self, name: str, start: Start, key: Any) -> Any:
        network = self._network.clone(kernel_inits=start)
        try:
            return network.init(key, jnp.asarray(self.digits.images[:1]))["params"]
        except ValueError as error:
            raise ValueError(f"scheme {name!r} does not fit this network: {error}") from None

    def signals(self) -> dict[str, Signal]:
        """The signal of each start, before any training."""
        batch = (self.digits.images[:_MEASURED], self.digits.labels[:_MEASURED])
        measure = signal_meter(self._network, *map(jnp.asarray, batch))
        return {name: measure(params) for name, params in self.params.items()}

    @property
    def ticks(self) -> int:
        """How often `train` calls `tick`."""
        return len(self.params) * len(LEARNING_RATES) * self._trainer.ticks

    def train(self, tick: Callable[[str], None]) -> dict[str, Run]:
        """Each start trained at every learning rate, and the best of its runs."""
        return {
            name: self._best_run(params, partial(tick, name))
            for name, params in self.params.items()
        }

    def _best_run(self, params: Any, tick: Callable[[], None]) -> Run:
        return best_run([self._trainer.train(params, rate, tick) for rate in LEARNING_RATES])
