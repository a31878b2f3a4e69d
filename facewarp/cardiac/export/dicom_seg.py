"""Labels as DICOM segmentations: an object a phase, each a series of its own.

A segmentation with a time axis is refused by highdicom and read by no viewer we know; OHIF shows
the first object of a series alone, so that every phase is a series.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from facewarp.cardiac.cine_result import CineResult
from facewarp.cardiac.export.dicom_study import (
    CHARACTER_SET,
    MANUFACTURER,
    MODEL_NAME,
    RESEARCH,
    DicomStudy,
    frame_position,
)
from facewarp.cardiac.parts import PART_COLORS, HeartPart
from facewarp.system.atomic_files import written
from facewarp.version import __version__

#: Segments, in their order: number from 1, part, label.
SEGMENTS: Final = (
    (1, HeartPart.LV, "left ventricle, cavity"),
    (2, HeartPart.MYOCARDIUM, "left ventricle, myocardium"),
    (3, HeartPart.RV, "right ventricle, cavity"),
)
SOP_CLASS: Final = "1.2.840.10008.5.1.4.1.1.66.4"


@dataclass(frozen=True, eq=False)
class WrittenSegmentation:
    """One phase's segmentation.

    Attributes:
        path: the file.
        dataset: what it holds: evidence of the measurements.
    """

    path: Path
    dataset: Any


def write_segmentations(
    result: CineResult, study: DicomStudy, folder: Path
) -> list[WrittenSegmentation]:
    """Write ``seg_NN.dcm`` for every phase.

    Raises:
        FacewarpError: one could not be written.
    """
    found = []
    for phase, frame in enumerate(result.cine.frames):
        path = folder / f"seg_{frame:02d}.dcm"
        segmentation = phase_segmentation(result, study, phase)
        with written(path) as temporary:
            segmentation.save_as(temporary)
        found.append(WrittenSegmentation(path, segmentation))
    return found


def part_code(part: HeartPart) -> Any:
    """SNOMED's code of a part."""
    from pydicom.sr.codedict import codes

    return {
        HeartPart.LV: codes.SCT.LeftVentricle,
        HeartPart.MYOCARDIUM: codes.SCT.LeftVentricleMyocardium,
        HeartPart.RV: codes.SCT.RightVentricle,
    }[part]


def phase_name(result: CineResult, phase: int) -> str:
    """Return a phase in words: ``phase 4 of 12 (ED)``."""
    moment = {result.ed: " (ED)", result.es: " (ES)"}.get(phase, "")
    return f"phase {result.cine.frames[phase]} of {len(result.cine.frames)}{moment}"


def phase_segmentation(result: CineResult, study: DicomStudy, phase: int) -> Any:
    """Build the segmentation of one phase; highdicom's ``Segmentation``."""
    import highdicom as hd

    number = result.cine.frames[phase]
    headers, frames = study.headers[phase], study.frames[phase]
    masks = np.stack([result.labels[phase] == part for _, part, _ in SEGMENTS], axis=-1)
    geometry = _geometry(result, headers, frames)
    segmentation = hd.seg.Segmentation(
        source_images=study.files(phase),
        pixel_array=masks.astype(np.uint8),
        segmentation_type=hd.seg.SegmentationTypeValues.BINARY,
        segment_descriptions=_descriptions(result, study),
        series_instance_uid=study.uid("segmentation series", str(number)),
        series_number=study.series_number("segmentation", phase),
        sop_instance_uid=study.uid("segmentation", str(number)),
        instance_number=1,
        manufacturer=MANUFACTURER,
        manufacturer_model_name=MODEL_NAME,
        software_versions=__version__,
        device_serial_number=result.model_sha256[:16],
        content_description=f"{phase_name(result, phase)}. {RESEARCH}"[:64],
        content_label=f"PHASE_{number:02d}",
        series_description=f"facewarp segmentation, {phase_name(result, phase)}",
        omit_empty_frames=bool(masks.any()),
        **geometry,
    )
    # Where pixels are alike highdicom takes the scan's measures, whose slice distance may be a gap.
    measures = segmentation.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
    measures.SpacingBetweenSlices = geometry["pixel_measures"][0].SpacingBetweenSlices
    segmentation.SpecificCharacterSet = CHARACTER_SET
    for groups in segmentation.PerFrameFunctionalGroupsSequence:
        groups.FrameContentSequence[0].TemporalPositionIndex = phase + 1
        if study.is_multiframe:
            _keep_phase(groups, {frame + 1 for frame in frames})
    return segmentation


def _keep_phase(groups: Any, numbers: set[int]) -> None:
    """Drop references to other phases: highdicom names every frame that lies in the same place."""
    for derivation in groups.get("DerivationImageSequence", ()):
        derivation.SourceImageSequence = [
            source
            for source in derivation.SourceImageSequence
            if int(source.ReferencedFrameNumber) in numbers
        ]


def _geometry(result: CineResult, headers: Sequence[Any], frames: Sequence[int]) -> dict[str, Any]:
    """Where the masks lie: where the frames lie that they were drawn on."""
    import highdicom as hd

    volume = result.cine.volume
    affine = np.diag([-1.0, -1.0, 1.0, 1.0]) @ volume.affine
    x, y, z = volume.spacing_mm
    axes = affine[:3, :2] / np.linalg.norm(affine[:3, :2], axis=0)
    places = [frame_position(header, frame) for header, frame in zip(headers, frames, strict=True)]
    system = hd.CoordinateSystemNames.PATIENT
    return {
        "pixel_measures": hd.PixelMeasuresSequence((y, x), z, z),
        "plane_orientation": hd.PlaneOrientationSequence(system, axes.T.ravel().tolist()),
        "plane_positions": [hd.PlanePositionSequence(system, place) for place in places],
    }


def _descriptions(result: CineResult, study: DicomStudy) -> list[Any]:
    import highdicom as hd
    from pydicom.sr.codedict import codes

    algorithm = hd.AlgorithmIdentificationSequence(
        name="facewarp",
        family=codes.DCM.ArtificialIntelligence,
        version=f"{__version__}, weights {result.model_sha256[:12]}",
    )
    by_model = result.labels_by == "model"
    return [
        hd.seg.SegmentDescription(
            segment_number=number,
            segment_label=label,
            segmented_property_category=codes.SCT.AnatomicalStructure,
            segmented_property_type=part_code(part),
            algorithm_type="AUTOMATIC" if by_model else "SEMIAUTOMATIC",
            algorithm_identification=algorithm,
            tracking_uid=study.uid("segment", part.name),  # the same heart in every phase
            tracking_id=label,
            display_color=hd.color.CIELabColor.from_rgb(*PART_COLORS[part].tolist()),
        )
        for number, part, label in SEGMENTS
    ]
