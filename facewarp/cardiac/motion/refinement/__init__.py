"""Refine both directions of a pair into one invertible motion: `refine`, and what it rests on."""
