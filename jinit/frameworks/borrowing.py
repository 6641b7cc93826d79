"""Schemes under another framework's name: they print, compare and go to JSON by that name.

May import: jax, `jinit.factory`, `jinit.initializer`, and of `jinit.frameworks` seeding.
"""

from collections.abc import Callable, Mapping
from typing import Any, ParamSpec

from jinit.factory import Scheme
from jinit.frameworks.seeding import Seeded, check_seed, refuse_keys
from jinit.initializer import Initializer, Recipe

__all__ = ["Borrowed", "borrow", "borrowed"]

P = ParamSpec("P")


class Borrowed(Scheme[P]):
    """A scheme that another framework defines, with that framework's arguments and defaults.

    An option called `seed` binds a key: see `jinit.frameworks.seeding`.
    """

    def __init__(
        self, function: Callable[P, Recipe], framework: str, *, keyless: bool = False
    ) -> None:
        super().__init__(function, keyless=keyless)
        self._place = function.__name__
        self.__name__ = f"frameworks.{framework}.{function.__name__}"

    def configure(self, *args: Any, **kwargs: Any) -> Initializer:
        """Check a configuration and return the initializer that has it, seeded if it says so."""
        init = super().configure(*args, **kwargs)
        return init if init.options.get("seed") is None else Seeded(self, init.options)

    def recipe(self, options: Mapping[str, Any]) -> Recipe:
        """The recipe for these options; raises where they are not allowed."""
        recipe = super().recipe(options)
        seed = options.get("seed")
        return recipe if seed is None else refuse_keys(recipe, self.__name__, check_seed(seed))

    def __reduce__(self) -> str:
        return self._place  # the name in its module, whatever the name in public


# By public name, "frameworks.torch.kaiming_normal_": how a configuration finds them again.
borrowed: dict[str, Borrowed[...]] = {}


def borrow(
    framework: str, *, keyless: bool = False
) -> Callable[[Callable[P, Recipe]], Borrowed[P]]:
    """Make of a function from configuration to recipe a scheme of `framework`.

    Args:
        framework: name of the module in `jinit.frameworks` whose scheme it is.
        keyless: the scheme uses no randomness; its key may be None.
    """

    def make(function: Callable[P, Recipe]) -> Borrowed[P]:
        made = Borrowed(function, framework, keyless=keyless)
        borrowed[made.__name__] = made
        return made

    return make
