"""Training of the network that proposes where small faces may be."""
