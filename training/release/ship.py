"""Ship a run's weights with facewarp: into the assets, with licence, hash and model card.

``python -m facewarp.training.release.ship weights RUN face --data helen afw`` copies the weights of
a run's folder. Once their template is built, ``ship confidence face --data DIR`` calibrates the
confidence on the held-out photographs, and stores the curve in them.
``facewarp eval helen --data DIR --model face --json > helen.json`` evaluates them, and ``python -m
facewarp.training.release.ship card face helen.json`` writes their card. Hearts ship likewise,
without a template: ``ship weights RUN heart --data acdc``, the part network of slices beside them
by ``ship weights RUN heart-slices --data acdc``; ``facewarp eval acdc --shift all --out fit.csv``
on patients that no result is told of, and ``ship confidence heart-slices --cases fit.csv``; ``ship
edges heart-slices --data acdc --patients 1,6,11`` finds how far its outlines lie off;
``facewarp eval acdc``, ``ship card heart``. ``ship weights RUN face-details --data helen afw
celebamask`` puts the part network of eyes and mouth beside the face's.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any

from facewarp.cardiac.motion.confidence import KEY as HEART_KEY
from facewarp.cardiac.motion.confidence import HeartCalibration
from facewarp.cardiac.motion.slice_parts import EDGES
from facewarp.core.config import ModelConfig
from facewarp.core.engines.quantization import rebind
from facewarp.core.model import Model, load
from facewarp.core.networks.guided_registration import GuidedRegistration
from facewarp.core.weights import (
    DETAILS,
    SLICES,
    WEIGHTS,
    file_sha256,
    find_weights,
    holds_weights,
    load_weights,
    save_weights,
)
from facewarp.errors import FacewarpError
from facewarp.face.tracking.confidence import KEY
from facewarp.system.atomic_files import write_json, write_text
from facewarp.training.dataloading.face_data import helen_training_data
from facewarp.training.dataloading.heart_data import chosen_patients, patient_folders, spans
from facewarp.training.datasets.acdc import patient_number
from facewarp.training.evaluation.evaluation_json import read_evaluation
from facewarp.training.evaluation.heart_shifts import read_cases
from facewarp.training.evaluation.reliability import calibrated
from facewarp.training.release.face_card import FACE_CARD, details_section
from facewarp.training.release.heart_card import HEART_CARD, slices_section
from facewarp.training.release.heart_confidence import fit_calibration
from facewarp.training.release.heart_edges import fit_edges
from facewarp.training.release.model_card import (
    SAME_TENSORS,
    SOURCES,
    card_of_new_curve,
    card_of_new_section,
    model_card,
)
from facewarp.training.synthetic.scan_shifts import CLEAN

CARDS = {"face": FACE_CARD, "heart": HEART_CARD}
PLACES = {
    "face-details": ("face", DETAILS),
    "heart-slices": ("heart", SLICES),
}  # folder and file, where they are not the name's
FILE_OWN = ("format", "config")  # what every weights file says of itself anyway


def ship_weights(run: Path, name: str, data: Sequence[str], folder: Path) -> Path:
    """Put the weights of a run among the shipped ones, and record their hash.

    Tensors are unchanged; metadata name the classes, the data and the licence. The card of earlier
    weights of this name is removed, since it describes others.

    Args:
        run: the run's folder, or a weights file.
        name: of the shipped weights.
        data: of the training, keys of `SOURCES`.
        folder: of shipped weights.

    Returns:
        The new file.

    Raises:
        FacewarpError: no such run or dataset, or data of another kind of model.
    """
    unknown = [key for key in data if key not in SOURCES]
    if unknown or not data:
        raise FacewarpError(
            f"no data set is called {', '.join(unknown) or 'nothing'}",
            "--data",
            f"Choose from {', '.join(SOURCES)}.",
        )
    net, metadata = load_weights(find_weights(run))
    kind = _subject(net.config)
    foreign = [key for key in data if SOURCES[key].kind != kind]
    if foreign:
        what = f"a {kind} model is not learnt from {', '.join(foreign)}"
        fitting = [key for key, source in SOURCES.items() if source.kind == kind]
        raise FacewarpError(what, "--data", f"Choose from {', '.join(fitting)}.")
    about = {key: value for key, value in metadata.items() if key not in FILE_OWN}
    about["classes"] = ", ".join(net.config.classes)
    if kind == "heart":  # a part of the patients, and which one matters
        about["trained_on"] = about.get("trained_on", about.get("training_data", ""))
    about["training_data"] = ", ".join(data)
    about["licence"] = CARDS[kind].licence
    return _put(net, about, name, folder)


def ship_confidence(name: str, data: Path, folder: Path) -> Path:
    """Calibrate the confidence of shipped face weights, and store the curve in them.

    Run it once the template is built. Tensors do not change, the file's hash does: 8-bit weights
    beside it are bound to the new hash, and a card of the file before is kept and tells of both.

    Args:
        name: of the shipped weights.
        data: the folder of their training; its held-out photographs are used.
        folder: of shipped weights.

    Returns:
        The file.

    Raises:
        FacewarpError: no such weights, or too few photographs.
    """
    path = folder / name / WEIGHTS
    net, metadata = load_weights(path)
    held_out = helen_training_data(data).held_out
    curve = calibrated(Model(net, path=path, metadata=metadata), held_out)
    before, card = file_sha256(path), path.with_name("README.md")
    text = card.read_text("utf-8") if card.is_file() else ""
    about = {key: value for key, value in metadata.items() if key not in FILE_OWN}
    first = metadata.get(SAME_TENSORS, before)
    if before in text:  # else nothing has been told yet of the file with the curve before
        about[SAME_TENSORS] = first
    target = _put(net, {**about, KEY: curve.to_text()}, name, folder)
    after = file_sha256(target)
    rebind(target, before, after)
    if before in text:  # any other card tells of other weights
        write_text(card, card_of_new_curve(text, before, after, first))
    return target


def ship_heart_confidence(
    name: str, cases: Sequence[Path], folder: Path, *, keep_ef: bool = False
) -> Path:
    """Calibrate the confidence of shipped weights of a heart's slices, and store it in them.

    Networks and what was measured of them do not change, the file's hash does: of the card only the
    section on the part network follows.

    Args:
        name: of the shipped weights.
        cases: rows of ``facewarp eval acdc --shift ... --out``, of patients that no result is told
            of.
        folder: of shipped weights.
        keep_ef: leave the expected error of EF as it is.

    Returns:
        The file.

    Raises:
        FacewarpError: no such weights, too few cases, or nothing to be kept.
    """
    place, file = PLACES.get(name, (name, WEIGHTS))
    net, metadata = load_weights(folder / place / file)
    known = [case for path in cases for case in read_cases(path)]
    shifts = len({case.kind for case in known} - {CLEAN})
    patients = spans(sorted({patient_number(case.patient) for case in known}))
    told = (
        f"{len(known)} cases of patients {patients}, as scanned and under {shifts} kinds of shift"
    )
    calibration = fit_calibration(known, told)
    if keep_ef:
        if HEART_KEY not in metadata:
            what = "these weights hold no expected error of EF to keep"
            raise FacewarpError(what, folder / place / file, "Fit both: without --keep-ef.")
        before = HeartCalibration.from_text(metadata[HEART_KEY], folder / place / file)
        told = f"{told}; the error of EF on {before.fitted_on}"
        calibration = replace(calibration, ef_error=before.ef_error, fitted_on=told)
    about = {key: value for key, value in metadata.items() if key not in FILE_OWN}
    return _put_beside_card(net, {**about, HEART_KEY: calibration.to_text()}, name, folder)


def ship_heart_edges(name: str, data: Path, patients: str, folder: Path) -> Path:
    """Find how far a shipped part network's outlines lie off, and store it in its weights.

    Args:
        name: of the shipped weights of slices; the heart model that they belong to is beside them.
        data: holds patients' folders.
        patients: numbers and spans of them, of the network's training.
        folder: of shipped weights.

    Returns:
        The file.

    Raises:
        FacewarpError: no such weights or patients, or too few of them.
    """
    place, file = PLACES.get(name, (name, WEIGHTS))
    net, metadata = load_weights(folder / place / file)
    chosen = chosen_patients(patient_folders(data), patients)
    told = f"{len(chosen)} patients ({spans(sorted(patient_number(p.name) for p in chosen))})"
    edges = fit_edges(load(folder / place / WEIGHTS), chosen, told)
    about = {key: value for key, value in metadata.items() if key not in FILE_OWN}
    return _put_beside_card(net, {**about, EDGES: edges.to_text()}, name, folder)


def _put_beside_card(
    net: GuidedRegistration, about: dict[str, str], name: str, folder: Path
) -> Path:
    """Write weights of slices whose tensors are as they were; their section of the card follows."""
    place, file = PLACES.get(name, (name, WEIGHTS))
    card = folder / place / "README.md"
    text = card.read_text("utf-8") if card.is_file() else None
    before = file_sha256(folder / place / file)
    target = _put(net, about, name, folder)
    if text is not None:
        write_text(card, card_of_new_section(text, before, _section_of(net, about, target)))
    return target


def _put(net: GuidedRegistration, about: dict[str, str], name: str, folder: Path) -> Path:
    """Write shipped weights and their hash, and remove an earlier card."""
    place, file = PLACES.get(name, (name, WEIGHTS))
    target = folder / place / file
    if not holds_weights(target, net, about):  # those that are there keep their hash
        save_weights(net, target, about)
    sha256 = file_sha256(target)
    (folder / place / "README.md").unlink(missing_ok=True)
    index = folder / "index.json"
    known: dict[str, Any] = json.loads(index.read_text("utf-8")) if index.is_file() else {}
    known[name] = {"file": f"{place}/{file}", "sha256": sha256}
    write_json(index, dict(sorted(known.items())))
    return target


def ship_card(name: str, evaluations: Sequence[Path], folder: Path) -> Path:
    """Write the card of shipped weights.

    Args:
        name: of the shipped weights.
        evaluations: files printed by ``facewarp eval ... --json``.
        folder: of shipped weights.

    Returns:
        The card's file.

    Raises:
        FacewarpError: no such weights, or an evaluation is of others.
    """
    path = folder / name / WEIGHTS
    net, metadata = load_weights(path)
    found = [read_evaluation(file) for file in evaluations]
    n_parameters = sum(p.numel() for p in net.parameters())
    card = folder / name / "README.md"
    slices, details = (path.with_name(beside) for beside in (SLICES, DETAILS))
    section = _slices_section(slices, found) if slices.is_file() else ""
    text = model_card(
        *(name, net.config, metadata, n_parameters, file_sha256(path), found),
        CARDS[net.config.kind],
        _details_section(details) if details.is_file() else section,
    )
    write_text(card, text)
    return card


def _slices_section(path: Path, evaluations: Sequence[dict[str, Any]]) -> str:
    """Describe the part network of slices beside shipped weights."""
    net, metadata = load_weights(path)
    sha256 = file_sha256(path)
    for found in evaluations:
        if found.get("slices_sha256") != sha256:
            what = f"an evaluation is of another part network ({found.get('slices_sha256')})"
            raise FacewarpError(what, found.get("dataset"), "Run facewarp eval again.")
    return _section_of(net, metadata, path)


def _section_of(net: GuidedRegistration, metadata: Mapping[str, str], path: Path) -> str:
    n_parameters = sum(p.numel() for p in net.parameters())
    return slices_section(net.config, metadata, n_parameters, file_sha256(path))


def _details_section(path: Path) -> str:
    """Describe the part network of eyes and mouth beside shipped weights."""
    net, metadata = load_weights(path)
    n_parameters = sum(p.numel() for p in net.parameters())
    return details_section(net.config, metadata, n_parameters, file_sha256(path))


def _subject(config: ModelConfig) -> str:
    """Return what a model is of, ``"face"`` or ``"heart"``."""
    return config.kind.split("-")[0]


def main(words: Sequence[str] | None = None) -> None:
    """Command line of this module."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    shipped = Path(str(resources.files("facewarp.assets"))) / "weights"
    parser.add_argument("--folder", type=Path, default=shipped, help="where shipped weights are")
    commands = parser.add_subparsers(dest="command", required=True)
    weights = commands.add_parser("weights", help="copy a run's weights into the assets")
    weights.add_argument("run", type=Path, help="the run's folder or a weights file")
    weights.add_argument("name")
    weights.add_argument("--data", nargs="+", required=True, choices=SOURCES)
    confidence = commands.add_parser("confidence", help="measure what a confidence is worth")
    confidence.add_argument("name")
    confidence.add_argument("--data", type=Path, help="faces: what they were trained on")
    confidence.add_argument(
        "--cases", type=Path, nargs="+", help="hearts: rows of facewarp eval acdc --shift --out"
    )
    confidence.add_argument(
        "--keep-ef", action="store_true", help="hearts: leave the expected error of EF as it is"
    )
    edges = commands.add_parser("edges", help="find how far a heart's outlines lie off")
    edges.add_argument("name")
    edges.add_argument("--data", type=Path, required=True, help="patients' folders")
    edges.add_argument("--patients", required=True, help="of the training: 1,6,11-13")
    card = commands.add_parser("card", help="write their model card")
    card.add_argument("name")
    card.add_argument("evaluations", nargs="+", type=Path, help="what eval --json printed")
    given = parser.parse_args(words)
    try:
        if given.command == "weights":
            written = ship_weights(given.run, given.name, given.data, given.folder)
        elif given.command == "confidence" and given.cases:
            written = ship_heart_confidence(
                given.name, given.cases, given.folder, keep_ef=given.keep_ef
            )
        elif given.command == "confidence":
            if given.data is None:
                parser.error("confidence takes --data (faces) or --cases (hearts)")
            written = ship_confidence(given.name, given.data, given.folder)
        elif given.command == "edges":
            written = ship_heart_edges(given.name, given.data, given.patients, given.folder)
        else:
            written = ship_card(given.name, given.evaluations, given.folder)
    except FacewarpError as error:
        parser.exit(1, f"error: {error}\n")
    sys.stdout.write(f"{written} (sha256 {file_sha256(written)})\n")


if __name__ == "__main__":
    main()
