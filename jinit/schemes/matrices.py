"""Kernels as matrices: which axes are rows (inputs), which columns (outputs), which repeat.

May import: jax, `jinit.axes`.
"""

import math
from collections.abc import Callable
from typing import NamedTuple, TypeAlias

from jax import Array

from jinit.axes import Axes, AxisSpec, Shape, check_roles, explicit_axes

__all__ = [
    "MatrixView",
    "ViewReader",
    "check_matrix",
    "matrix_view",
    "view_reader",
]


class MatrixView(NamedTuple):
    """A kernel of `shape` read as independent matrices, each applied as `x @ matrix`.

    Attributes:
        shape: shape of the kernel.
        row_axis: axes that the layer contracts, taps of a convolution included.
        column_axis: axes of its outputs.
        batch_axis: axes that hold independent matrices.
    """

    shape: Shape
    row_axis: Shape
    column_axis: Shape
    batch_axis: Shape = ()

    @property
    def rows(self) -> int:
        """Rows of each matrix: the fan in."""
        return math.prod(self.extents(self.row_axis))

    @property
    def columns(self) -> int:
        """Columns of each matrix: the outputs."""
        return math.prod(self.extents(self.column_axis))

    @property
    def batch(self) -> Shape:
        """How many matrices there are, along each batch axis."""
        return self.extents(self.batch_axis)

    def extents(self, axes: Shape) -> Shape:
        """The kernel's extents along `axes`."""
        return tuple(self.shape[axis] for axis in axes)

    def fold(self, matrices: Array) -> Array:
        """The kernel whose matrices are these, of shape `(*batch, rows, columns)`."""
        order = self.batch_axis + self.row_axis + self.column_axis
        unfolded = matrices.reshape(self.extents(order))
        return unfolded.transpose([order.index(axis) for axis in range(len(order))])


ViewReader: TypeAlias = Callable[[Shape], MatrixView]


def matrix_view(shape: Shape, axes: Axes) -> MatrixView:
    """The matrices of a kernel whose axes have these roles; receptive axes count as rows.

    Raises:
        ValueError: one axis is both input and output, so that there is no matrix.
    """
    if axes.is_lookup:
        raise ValueError(
            f"`in_axis` and `out_axis` are both axis {axes.in_axis[0]} of the shape {shape}, which "
            "is no matrix; name the axis that is contracted and the axis that is produced"
        )
    columns_and_batch = {*axes.out_axis, *axes.batch_axis}
    row_axis = tuple(axis for axis in range(len(shape)) if axis not in columns_and_batch)
    return MatrixView(shape, row_axis, axes.out_axis, axes.batch_axis)


def view_reader(in_axis: AxisSpec, out_axis: AxisSpec, batch_axis: AxisSpec) -> ViewReader:
    """The function from shape to matrices that these axes mean; refuses axes with two roles."""
    check_roles(in_axis=in_axis, out_axis=out_axis, batch_axis=batch_axis)

    def read(shape: Shape) -> MatrixView:
        if in_axis == -2:
            check_matrix(shape)
        return matrix_view(shape, explicit_axes(shape, in_axis, out_axis, batch_axis))

    return read


def check_matrix(shape: Shape) -> None:
    """Raise unless `shape` has the two axes that a matrix needs."""
    if len(shape) < 2:
        raise ValueError(
            f"`shape` (={shape}) is {len(shape)}-D, and a matrix needs at least 2 axes; "
            "for a bias use jinit.zeros"
        )
