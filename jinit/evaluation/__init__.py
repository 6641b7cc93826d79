"""Programs run on values, with a say at every operation."""
