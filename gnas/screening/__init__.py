"""Screening: a predictor fitted on a few dozen evaluations ranks up to millions, and says how far to trust it."""
