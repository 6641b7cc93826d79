"""How a signal fares on its way through a model, forwards and back."""
