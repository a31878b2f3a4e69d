"""A heart phantom: cines whose labels, motion, volumes and strain are known by formula."""
