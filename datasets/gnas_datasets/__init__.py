"""Data cards, loaders of what dependencies ship, generators."""

from gnas_datasets.cards import CARDS, DataCard

__all__ = ["CARDS", "DataCard"]
