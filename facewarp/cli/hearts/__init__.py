"""Commands about hearts of known motion: make them, and measure on them."""
