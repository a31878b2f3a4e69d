"""The report as PDF, and as a PDF encapsulated in DICOM."""

from datetime import datetime
from pathlib import Path
from typing import Any, Final

from PIL import ImageFile

from facewarp.cardiac.export.dicom_study import (
    CHARACTER_SET,
    MANUFACTURER,
    MODEL_NAME,
    STUDY,
    DicomStudy,
)
from facewarp.errors import FacewarpError
from facewarp.system.atomic_files import written
from facewarp.system.installation import install_command
from facewarp.version import __version__

SOP_CLASS: Final = "1.2.840.10008.5.1.4.1.1.104.1"


def pdf_of(html: str) -> bytes:
    """Lay out a page that needs nothing else as PDF, by its style for paper.

    Raises:
        FacewarpError: the library for it, or the text layout library Pango below it, is missing.
    """
    damaged_are_read = ImageFile.LOAD_TRUNCATED_IMAGES
    try:
        from weasyprint import HTML
        from weasyprint.urls import URLFetcher
    except (ImportError, OSError) as error:  # OSError: a shared library is not there
        what = "writing the report as PDF needs WeasyPrint, and Pango below it"
        fix = f"{install_command('dicom-out')}; on Debian: apt install libpangoft2-1.0-0"
        raise FacewarpError(what, "--dicom-out", fix) from error
    finally:  # importing WeasyPrint makes Pillow read damaged images, in the whole process
        ImageFile.LOAD_TRUNCATED_IMAGES = damaged_are_read
    only_its_own = URLFetcher(allowed_protocols=["data"])  # nothing is fetched from elsewhere
    return bytes(HTML(string=html, url_fetcher=only_its_own).write_pdf())


def write_report_pdf(html: str, study: DicomStudy, path: Path) -> None:
    """Write the report as an Encapsulated PDF object.

    Args:
        html: the page.
        study: where it is filed.
        path: the ``.dcm`` file.

    Raises:
        FacewarpError: it could not be laid out or written.
    """
    dataset = encapsulated(pdf_of(html), study)
    with written(path) as temporary:
        dataset.save_as(temporary, enforce_file_format=True)


def encapsulated(pdf: bytes, study: DicomStudy) -> Any:
    """Return the DICOM object that holds a PDF, under patient and study of the cine."""
    from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
    from pydicom.uid import UID, ExplicitVRLittleEndian

    now = datetime.now()
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UID(SOP_CLASS)
    meta.MediaStorageSOPInstanceUID = UID(study.uid("report"))
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    data.SOPClassUID, data.SOPInstanceUID = SOP_CLASS, meta.MediaStorageSOPInstanceUID
    data.SpecificCharacterSet = CHARACTER_SET
    for name in ("StudyInstanceUID", *STUDY):
        setattr(data, name, study.first.get(name))
    data.Modality, data.ConversionType = "DOC", "WSD"
    data.SeriesInstanceUID = study.uid("report series")
    data.SeriesNumber, data.InstanceNumber = study.series_number("report"), 1
    data.SeriesDescription = "facewarp report"
    data.Manufacturer, data.ManufacturerModelName = MANUFACTURER, MODEL_NAME
    data.SoftwareVersions = __version__
    data.ContentDate = data.InstanceCreationDate = now.strftime("%Y%m%d")
    data.ContentTime = data.InstanceCreationTime = now.strftime("%H%M%S")
    data.AcquisitionDateTime = None
    data.BurnedInAnnotation = "YES"
    data.DocumentTitle = "Heart report, research use"
    title = Dataset()
    title.CodeValue, title.CodingSchemeDesignator = "18748-4", "LN"
    title.CodeMeaning = "Diagnostic imaging report"
    data.ConceptNameCodeSequence = [title]
    data.SourceInstanceSequence = [_reference(header) for header in study.files()]
    data.MIMETypeOfEncapsulatedDocument = "application/pdf"
    data.EncapsulatedDocumentLength = len(pdf)
    data.EncapsulatedDocument = pdf + b"\0" * (len(pdf) % 2)
    return data


def _reference(header: Any) -> Any:
    from pydicom.dataset import Dataset

    found = Dataset()
    found.ReferencedSOPClassUID = header.SOPClassUID
    found.ReferencedSOPInstanceUID = header.SOPInstanceUID
    return found
