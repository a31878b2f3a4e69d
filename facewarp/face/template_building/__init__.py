"""Build templates: groupwise -> build, from_photo -> preview."""
