"""Any PyTorch model becomes a search space whose every sub-network runs."""
