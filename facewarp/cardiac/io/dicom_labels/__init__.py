"""Labels in DICOM: segmentations (SEG) and contours (RTSTRUCT), laid onto a cine."""
