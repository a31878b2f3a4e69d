"""Training of the part network of eyes and mouth."""
