"""What the codes of pictures mean: color profiles, and the numbers of H.273."""
