"""Compare methods: registries -> faces, hearts -> orderings -> result_table, figures, pages."""
