"""Tabular benchmarks: tables of architectures that others trained, and tasks that answer from them at once."""
