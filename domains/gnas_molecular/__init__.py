"""The molecular domain of gnas."""
