"""The demonstration: one deep plain network, trained from several initializations.

May import: jinit's other rooms, except `jinit.cli`; flax, optax and scikit-learn, where needed.
"""
