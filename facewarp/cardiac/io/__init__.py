"""Read and write scans: nifti_reader, dicom_series -> volume -> patient; nifti_writer."""
