"""Plates: pictures of more than 8 bits a channel, read and written by OpenImageIO."""
