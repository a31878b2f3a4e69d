"""Eyes and mouth in detail: a small part network on patches, and what it mends in the field."""
