"""Everything that only training and evaluation need: data sets, losses, trainers, metrics."""
