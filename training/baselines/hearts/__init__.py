"""Baselines on hearts."""
