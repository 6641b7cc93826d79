"""What can be initialized: one adapter for each kind of model, imported when it is needed."""
