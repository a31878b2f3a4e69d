"""Volumes, ejection fraction, mass and strain as a DICOM structured report by TID 1500."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from facewarp.cardiac.cine_result import CineResult
from facewarp.cardiac.export.dicom_seg import (
    SEGMENTS,
    SOP_CLASS,
    WrittenSegmentation,
    part_code,
    phase_name,
)
from facewarp.cardiac.export.dicom_study import (
    CHARACTER_SET,
    MANUFACTURER,
    MODEL_NAME,
    RESEARCH,
    DicomStudy,
)
from facewarp.cardiac.parts import HeartPart
from facewarp.cardiac.quantification.indices import Ventricle
from facewarp.system.atomic_files import written
from facewarp.version import __version__

_DIGITS: Final = 4
_NUMBER: Final = {part: number for number, part, _ in SEGMENTS}


def write_measurements(
    result: CineResult,
    study: DicomStudy,
    segmentations: Sequence[WrittenSegmentation],
    said: Sequence[str],
    path: Path,
) -> None:
    """Write the measurements as Comprehensive SR, each volume with the segment it was counted in.

    Args:
        result: what was measured.
        study: where it is filed.
        segmentations: of every phase, in their order.
        said: what a reader must know beside the numbers: comments of the report.
        path: the ``.dcm`` file.

    Raises:
        FacewarpError: it could not be written.
    """
    import highdicom as hd

    report = hd.sr.ComprehensiveSR(
        evidence=[*study.files(), *(segmentations[p].dataset for p in _moments(result))],
        content=_content(result, study, segmentations, said),
        series_instance_uid=study.uid("measurements series"),
        series_number=study.series_number("measurements"),
        sop_instance_uid=study.uid("measurements"),
        instance_number=1,
        manufacturer=MANUFACTURER,
        is_complete=True,
        is_final=False,
        is_verified=False,
        series_description="facewarp measurements",
    )
    report.SpecificCharacterSet = CHARACTER_SET
    report.ManufacturerModelName = MODEL_NAME
    report.SoftwareVersions = __version__
    report.CompletionFlagDescription = RESEARCH
    with written(path) as temporary:
        report.save_as(temporary)


def _moments(result: CineResult) -> list[int]:
    return sorted({result.ed, result.es})


def _content(
    result: CineResult,
    study: DicomStudy,
    segmentations: Sequence[WrittenSegmentation],
    said: Sequence[str],
) -> Any:
    """Return the content tree: observer, procedure, and groups of measurements."""
    import highdicom as hd
    from pydicom.sr.codedict import codes

    device = hd.sr.DeviceObserverIdentifyingAttributes(
        uid=study.uid("observer"),
        name="facewarp",
        manufacturer_name=MANUFACTURER,
        model_name=MODEL_NAME,
        serial_number=result.model_sha256[:16],
    )
    observer = hd.sr.ObserverContext(codes.DCM.Device, device)
    groups = _volume_groups(result, study, segmentations) + _function_groups(result, study)
    report = hd.sr.MeasurementReport(
        observation_context=hd.sr.ObservationContext(observer_device_context=observer),
        procedure_reported=hd.sr.CodedConcept("241620005", "SCT", "MRI of heart"),
        imaging_measurements=groups,
        title=codes.DCM.ImagingMeasurementReport,
    )
    for text in (f"{RESEARCH}.", *said):
        report[0].ContentSequence.append(
            hd.sr.TextContentItem(codes.DCM.Comment, text, hd.sr.RelationshipTypeValues.CONTAINS)
        )
    return report


def _volume_groups(
    result: CineResult, study: DicomStudy, segmentations: Sequence[WrittenSegmentation]
) -> list[Any]:
    """Return a group for each ventricle at each moment, and for the wall at end-diastole."""
    import highdicom as hd
    from pydicom.sr.codedict import codes

    found = result.indices
    asked = [
        (HeartPart.LV, result.ed, codes.LN.LeftVentricularEDVolume, found.lv.edv_ml, "ml"),
        (HeartPart.LV, result.es, codes.LN.LeftVentricularESVolume, found.lv.esv_ml, "ml"),
        (HeartPart.RV, result.ed, codes.LN.RightVentricularEDVolume, found.rv.edv_ml, "ml"),
        (HeartPart.RV, result.es, codes.LN.RightVentricularESVolume, found.rv.esv_ml, "ml"),
        (HeartPart.MYOCARDIUM, result.ed, codes.LN.LeftVentricleMass, found.lv_mass_g, "g"),
    ]
    groups = []
    for part, phase, name, value, unit in asked:
        seg = segmentations[phase].dataset
        if _NUMBER[part] not in map(_segment_of, seg.PerFrameFunctionalGroupsSequence):
            continue  # the part is not there: no segment to point at
        label = f"{part.name} {phase_name(result, phase)}"
        groups.append(
            hd.sr.VolumetricROIMeasurementsAndQualitativeEvaluations(
                tracking_identifier=hd.sr.TrackingIdentifier(study.uid("group", label), label),
                referenced_segment=hd.sr.ReferencedSegment(
                    SOP_CLASS,
                    seg.SOPInstanceUID,
                    _NUMBER[part],
                    source_series=hd.sr.SourceSeriesForSegmentation(
                        study.headers[phase][0].SeriesInstanceUID
                    ),
                ),
                finding_type=part_code(part),
                finding_sites=[hd.sr.FindingSite(part_code(part))],
                measurements=[_measured(name, value, unit)],
            )
        )
    return groups


def _segment_of(groups: Any) -> int:
    return int(groups.SegmentIdentificationSequence[0].ReferencedSegmentNumber)


def _function_groups(result: CineResult, study: DicomStudy) -> list[Any]:
    """Return groups of what follows from several phases: function of each ventricle, and strain."""
    from pydicom.sr.codedict import codes

    lv, rv = result.indices.lv, result.indices.rv
    left = _function(
        lv,
        codes.LN.LeftVentricularEjectionFractionByMR,
        codes.SCT.StrokeVolume,
        codes.SCT.CardiacOutput,
    )
    right = _function(
        rv,
        codes.LN.RightVentricularEjectionFractionByMR,
        codes.SCT.RVStrokeVolume,
        codes.SCT.RVCardiacOutput,
    )
    if result.indices.heart_rate_bpm is not None:
        left.append(_measured(codes.LN.HeartRate, result.indices.heart_rate_bpm, "/min"))
    groups = [
        _group(study, "left ventricular function", HeartPart.LV, left),
        _group(study, "right ventricular function", HeartPart.RV, right),
    ]
    if (strain := _strain(result)) is not None:
        groups.append(_group(study, "left ventricular strain", HeartPart.MYOCARDIUM, strain))
    return groups


def _function(found: Ventricle, fraction: Any, stroke: Any, output: Any) -> list[Any]:
    asked = (
        (fraction, found.ef_percent, "%"),
        (stroke, found.sv_ml, "ml"),
        (output, found.co_l_min, "l/min"),
    )
    return [_measured(name, value, unit) for name, value, unit in asked if value is not None]


def _strain(result: CineResult) -> list[Any] | None:
    """Peak strain of the whole wall: change in length against end-diastole, of most and least."""
    from pydicom.sr.codedict import codes

    whole = result.strain.region("global") if result.strain else None
    if whole is None:
        return None
    around = float(whole.circumferential_engineering.min())
    outwards = float(whole.radial_engineering.max())
    least, most = codes.SCT.Minimum, codes.SCT.Maximum
    return [
        _measured(codes.DCM.CircumferentialLagrangianStrain, around, "%", least),
        _measured(codes.DCM.RadialLagrangianStrain, outwards, "%", most),
    ]


def _group(study: DicomStudy, name: str, part: HeartPart, measured: list[Any]) -> Any:
    import highdicom as hd

    return hd.sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=hd.sr.TrackingIdentifier(study.uid("group", name), name),
        finding_type=part_code(part),
        finding_sites=[hd.sr.FindingSite(part_code(part))],
        measurements=measured,
    )


def _measured(name: Any, value: float, unit: str, derivation: Any = None) -> Any:
    import highdicom as hd
    from pydicom.sr.coding import Code

    meanings = {"ml": "milliliter", "g": "gram", "%": "percent", "l/min": "liter per minute"}
    coded = Code(unit if unit != "ml" else "mL", "UCUM", meanings.get(unit, "per minute"))
    return hd.sr.Measurement(name, round(float(value), _DIGITS), coded, derivation=derivation)
