"""Data cards, loaders of what dependencies ship, generators."""
