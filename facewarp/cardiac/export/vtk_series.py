"""Moving surfaces as a VTK PolyData series: one ``.vtp`` a phase and a ``.pvd`` that lists them."""

import base64
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final
from xml.sax.saxutils import quoteattr

import numpy as np
from numpy.typing import NDArray

from facewarp.cardiac.export.surfaces import MovingSurface
from facewarp.system.atomic_files import written

_TYPES: Final = {"f4": "Float32", "i4": "Int32", "u1": "UInt8"}
_SPACE: Final = "LPS"  # 3D Slicer reads this field


def write_vtk_series(
    folder: Path, surfaces: Sequence[MovingSurface], frames: Sequence[int], step_s: float | None
) -> list[Path]:
    """Write ``mesh_NN.vtp`` for every phase and ``mesh.pvd``, which ParaView opens as one film.

    Points are LPS mm; cells carry the part's id, points how far they are from end-diastole's.

    Args:
        folder: an existing folder.
        surfaces: of the parts, from `surfaces.moving_surfaces`.
        frames: number of every phase in the cine.
        step_s: seconds from phase to phase; the phases' numbers are the times where it is None.

    Returns:
        The files.

    Raises:
        FacewarpError: one could not be written.
    """
    files, entries = [], []
    for phase, frame in enumerate(frames):
        path = folder / f"mesh_{frame:02d}.vtp"
        with written(path) as temporary:
            temporary.write_text(_poly_data(surfaces, phase), "utf-8")
        time = (frame - 1) * step_s if step_s else float(frame)
        entries.append(f'<DataSet timestep="{time:.6g}" part="0" file={quoteattr(path.name)}/>')
        files.append(path)
    index = folder / "mesh.pvd"
    with written(index) as temporary:
        head = '<?xml version="1.0"?>\n<VTKFile type="Collection" version="0.1"><Collection>\n'
        temporary.write_text(head + "\n".join(entries) + "\n</Collection></VTKFile>\n", "utf-8")
    return [*files, index]


def _poly_data(surfaces: Sequence[MovingSurface], phase: int) -> str:
    """Return the XML of one phase."""
    points = np.concatenate([surface.vertices_mm[phase] for surface in surfaces])
    starts = np.cumsum([0, *(surface.vertices_mm.shape[1] for surface in surfaces)])
    triangles = np.concatenate(
        [s.triangles + start for s, start in zip(surfaces, starts, strict=False)]
    )
    parts = np.concatenate([np.full(len(s.triangles), int(s.part), np.uint8) for s in surfaces])
    offsets = 3 * np.arange(1, len(triangles) + 1, dtype=np.int32)
    space = " ".join(str(code) for code in [*_SPACE.encode(), 0])
    return (
        '<?xml version="1.0"?>\n'
        '<VTKFile type="PolyData" version="1.0" byte_order="LittleEndian" header_type="UInt32" '
        'compressor="vtkZLibDataCompressor"><PolyData>'
        f'<FieldData><Array type="String" Name="SPACE" NumberOfTuples="1" format="ascii">{space}'
        "</Array></FieldData>"
        f'<Piece NumberOfPoints="{len(points)}" NumberOfPolys="{len(triangles)}" '
        'NumberOfVerts="0" NumberOfLines="0" NumberOfStrips="0">'
        f"<Points>{_array('Points', points.astype('<f4'))}</Points>"
        f"<Polys>{_array('connectivity', triangles.astype('<i4').ravel())}"
        f"{_array('offsets', offsets.astype('<i4'))}</Polys>"
        f'<CellData Scalars="part">{_array("part", parts)}</CellData>'
        "</Piece></PolyData></VTKFile>\n"
    )


def _array(name: str, values: NDArray[Any]) -> str:
    """Return a ``DataArray`` of one compressed block, in base64."""
    kind = _TYPES[values.dtype.str.lstrip("<|")]
    components = f' NumberOfComponents="{values.shape[1]}"' if values.ndim == 2 else ""
    raw = np.ascontiguousarray(values).tobytes()
    packed = zlib.compress(raw, 6)
    head = struct.pack("<4I", 1, len(raw), len(raw), len(packed))
    text = (base64.b64encode(head) + base64.b64encode(packed)).decode("ascii")
    return f'<DataArray type="{kind}" Name="{name}"{components} format="binary">{text}</DataArray>'
