"""Inference engines: base (the protocol), graphs, a module per engine, autotune, factory."""
