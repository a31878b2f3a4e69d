"""Baselines on faces."""
