"""Meters and counters: what a network costs, and how long it takes on a device."""
