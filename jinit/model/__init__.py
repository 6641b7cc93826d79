"""Whole parameter trees: rules that say what each leaf gets, the plan that follows, the draw."""
