"""Evaluate models on datasets: methods -> faces, hearts -> face_groups, reliability."""
