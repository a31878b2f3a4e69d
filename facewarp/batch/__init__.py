"""Batches: many jobs side by side, in processes or on a cluster, none of which stops the rest."""
