"""Results of a patient: quality_flags, page, strain_sections, page_images -> result_folder."""
