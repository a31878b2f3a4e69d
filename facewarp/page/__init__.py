"""The page without a server: networks, pictures and a template that a browser runs by itself."""
