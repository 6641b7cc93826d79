"""Packages that only some formats need.

May import: the standard library.
"""

import importlib

__all__ = ["MissingPackageError", "require"]

# Packages by what is imported, where the two differ.
_PACKAGES = {"orbax": "orbax-checkpoint"}
_EXTRA = "jinit[pretrained]"
_IN_EXTRA = {"h5py", "orbax", "tensorstore"}


class MissingPackageError(ModuleNotFoundError):
    """A package that a format needs is not installed; the message says how it is."""


def require(module: str, purpose: str) -> None:
    """Import what a format needs, or say what it is needed for.

    Raises:
        MissingPackageError: it is not installed; the message names the package and the extra.

    >>> require("nowhere", "reading .nowhere files")
    Traceback (most recent call last):
    jinit.pretrained.extras.MissingPackageError: reading .nowhere files needs nowhere, which is \
not installed; pip install nowhere
    """
    root = module.partition(".")[0]
    try:
        importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name not in (root, module):
            raise  # it is there, and lacks something itself
        package = f'"{_EXTRA}"' if root in _IN_EXTRA else _PACKAGES.get(root, root)
        raise MissingPackageError(
            f"{purpose} needs {_PACKAGES.get(root, root)}, which is not installed; "
            f"pip install {package}",
            name=root,
        ) from None
