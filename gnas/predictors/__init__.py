"""gnas.predictors."""
