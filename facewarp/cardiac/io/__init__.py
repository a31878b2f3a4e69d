"""Read and write scans: nifti_reader, dicom_series (slices) -> volume -> patient; nifti_writer."""
