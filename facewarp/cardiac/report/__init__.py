"""Results: page and its parts -> result_folder of a patient; pair_folder of two volumes."""
