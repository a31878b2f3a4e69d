"""A cine's result in the formats of other tools.

``surfaces -> vtk_series | gltf``; ``dicom_study -> dicom_seg -> dicom_sr``, ``dicom_pdf``.
"""
