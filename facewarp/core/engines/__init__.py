"""Engines run the networks: base (the protocol), graphs, a module each, autotune, factory."""
