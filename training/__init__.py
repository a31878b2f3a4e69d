"""Training and evaluation: datasets, losses, trainer, baselines, comparisons, releases."""
