"""File formats of checkpoints: one file each, which knows how it is read and how written."""
