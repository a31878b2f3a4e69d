"""Commands on models: train, evaluate, compare, export, bench."""
