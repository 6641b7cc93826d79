"""What is raised for a checkpoint that cannot be read as what it claims to be.

May import: the standard library.
"""

__all__ = ["CheckpointError"]


class CheckpointError(ValueError):
    """A checkpoint that is damaged, hostile, or of a kind that is not read.

    Attributes:
        file: the file, or the part of it, as messages name it.
        reason: what was wrong, what is allowed, and what to do: the rest of a sentence about it.
        tensor: the tensor concerned; None where it is the file.

    >>> print(CheckpointError("model.npz", "is cut off", tensor="head/kernel"))
    model.npz: tensor 'head/kernel' is cut off
    """

    def __init__(self, file: object, reason: str, tensor: str | None = None) -> None:
        super().__init__(str(file), reason, tensor)
        self.file = str(file)
        self.reason = reason
        self.tensor = tensor

    def __str__(self) -> str:
        place = "" if self.tensor is None else f"tensor {self.tensor!r} "
        return f"{self.file}: {place}{self.reason}"
