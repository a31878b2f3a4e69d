"""Paint the shipped textures: brushes -> anatomy -> one module a texture -> paint."""
