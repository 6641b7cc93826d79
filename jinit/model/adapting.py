"""A scheme made to fit a leaf: the leaf's own fans and axes, and layer by layer where stacked.

May import: `jinit.axes`, `jinit.factory`, `jinit.gains`, `jinit.options`,
`jinit.schemes.assemblies`, and of `jinit.model` leaf.

A scheme reads a kernel by its shape, as `jax.nn.initializers` do. Here more is known: what the
layer contracts, how many groups it has, along which axes layers are stacked. What the user says in
the scheme itself stands.
"""

from jinit.axes import Axes
from jinit.factory import Initializer
from jinit.gains import calculate_gain
from jinit.model.leaf import Leaf
from jinit.options import canonical, same
from jinit.schemes.assemblies import stacked

__all__ = ["adapt"]

# Options by which a scheme can be told a kernel's axes; one of them given means the user did.
_AXES = {"in_axis", "out_axis", "batch_axis", "column_axis", "layout", "einsum", "groups", "fans"}
# The same under other frameworks' names, and a bound that needs no axes.
_AXES |= {"input_axes", "output_axes", "fan_in_axes", "lim"}
# Schemes that hand the whole shape on to the scheme they hold.
_WRAPPERS = {"clipped", "masked", "scaled"}


def adapt(init: Initializer, leaf: Leaf) -> Initializer:
    """`init` with the leaf's fans, axes and activation, where it takes them and has none.

    Raises:
        ValueError: the scheme needs fans or axes, and the leaf's are not known.
    """
    name, options = init.scheme.__name__, init.options
    if name == "stacked":
        return init
    if name in _WRAPPERS and isinstance(options["init"], Initializer):
        inner = adapt(options["init"], leaf)
        by_layer = inner.scheme.__name__ == "stacked" != options["init"].scheme.__name__
        return _by_layer(init, leaf) if by_layer else init.replace(init=inner)
    init = _with_activation(init, leaf)
    if not _AXES & options.keys():
        return init if _fits_stack(init, leaf) else _by_layer(init, leaf)
    if _AXES & init.changed().keys():
        return init
    if "fans" in options:
        return _with_fans(init, leaf)
    return _with_axes(init, leaf)


def _with_activation(init: Initializer, leaf: Leaf) -> Initializer:
    activation = leaf.slot.activation
    # Only those of the He family that are jinit's own: another framework's knows other names.
    if activation is None or not {"nonlinearity", "negative_slope"} <= init.options.keys():
        return init
    if {"nonlinearity", "gain", "negative_slope"} & init.changed().keys():
        return init
    if leaf.slot.activation_param is not None and "gain" in init.options:
        return init.replace(gain=calculate_gain(activation, leaf.slot.activation_param))
    return init.replace(nonlinearity=activation)


def _with_fans(init: Initializer, leaf: Leaf) -> Initializer:
    if leaf.axes is None and leaf.slot.fans is None and len(leaf.shape) == 2 and not leaf.stack:
        return init  # two axes can only be (in, out)
    fans = leaf.fans
    if leaf.slot.fans is None and _is_plain(leaf):
        return init
    return init.replace(fans=fans)


def _with_axes(init: Initializer, leaf: Leaf) -> Initializer:
    if leaf.axes is None:
        if len(leaf.shape) - len(leaf.stack) >= 3:
            raise ValueError(_unknown_axes(leaf))
        return _by_layer(init, leaf) if leaf.stack else init
    if _is_plain(leaf):
        return init
    axes = leaf.axes
    if not {"in_axis", "out_axis", "batch_axis"} <= init.options.keys():
        if "layout" in init.options and _has_letters(leaf):
            return init.replace(layout=_letters(axes, len(leaf.shape)))
        return init if _fits_stack(init, leaf) else _by_layer(init, leaf)
    return init.replace(in_axis=axes.in_axis, out_axis=axes.out_axis, batch_axis=axes.batch_axis)


def _has_letters(leaf: Leaf) -> bool:
    """Whether a layout can say a kernel's axes: one of inputs, one of outputs, the rest taps."""
    axes = leaf.axes
    return axes is not None and (len(axes.in_axis), len(axes.out_axis), axes.batch_axis) == (
        1,
        1,
        (),
    )


def _letters(axes: Axes, ndim: int) -> str:
    """The layout of a kernel, its taps numbered: "OI01" of a convolution in torch's order."""
    taps = axes.receptive_axis(ndim)
    named = {axes.in_axis[0]: "I", axes.out_axis[0]: "O"}
    return "".join(named.get(axis) or str(taps.index(axis)) for axis in range(ndim))


def _unknown_axes(leaf: Leaf) -> str:
    try:
        leaf.fans  # noqa: B018  # raises, and says what to do
    except ValueError as error:
        return str(error)
    return f"the axes of {leaf} are not known"


def _is_plain(leaf: Leaf) -> bool:
    """Whether a kernel's axes are those that its shape suggests: (*taps, in, out)."""
    ndim = len(leaf.shape)
    return leaf.axes == Axes((ndim - 2,), (ndim - 1,), ())


def _fits_stack(init: Initializer, leaf: Leaf) -> bool:
    """Whether drawing the whole stack at once is drawing its layers one by one."""
    if not leaf.stack:
        return True
    whole = init.law(leaf.shape, leaf.dtype)
    if whole is None:
        return False
    try:
        part = init.law(_slice_shape(leaf), leaf.dtype)
    except ValueError:
        return False
    if type(whole) is not type(part):
        return False
    pairs = zip(tuple(whole), tuple(part), strict=True)
    return all(same(canonical(a), canonical(b)) for a, b in pairs)


def _slice_shape(leaf: Leaf) -> tuple[int, ...]:
    return tuple(n for axis, n in enumerate(leaf.shape) if axis not in leaf.stack)


def _by_layer(init: Initializer, leaf: Leaf) -> Initializer:
    if leaf.stack != tuple(range(len(leaf.stack))):
        raise ValueError(
            f"{leaf} is stacked along axes {leaf.stack}, and {init!r} can draw layer by layer only "
            "along the leading ones; use a scheme with `batch_axis`"
        )
    return stacked.configure(init, len(leaf.stack))
