"""Compare methods: registries -> faces, hearts -> base, orderings -> tables, figures, pages."""
