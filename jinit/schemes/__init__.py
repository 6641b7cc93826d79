"""Schemes: one file a family, each scheme a few lines over the core, the fans and the gains."""
