"""Pixels of DICOM files, whatever bits and types hold them."""

import numpy as np
import pydicom
import pytest
from fixtures.dicom_scans import AFFINE, in_order, numbered, write_series
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from facewarp.cardiac.io.dicom_series import read_dicom
from facewarp.errors import FacewarpError


@pytest.fixture
def smooth():
    """(2, 3, 20, 24) whose values run smoothly up to 3800."""
    ramp = np.linspace(0, 3800, 24, dtype=np.float32)
    return np.ascontiguousarray(np.broadcast_to(ramp, (2, 3, 20, 24)))


def stored(data):
    return np.frombuffer(data.PixelData, np.uint16)


def rewritten(change):
    def tell(data, _t, _z):
        data.BitsStored, data.HighBit = 12, 11
        data.PixelData = change(data, stored(data).astype(np.int32)).astype(np.uint16).tobytes()

    return tell


def overlay(_data, values):
    values[::3] |= 0x8000
    return values


def signed(data, values):
    data.PixelRepresentation, data.RescaleIntercept = 1, 502
    return (values - 1024) & 0xFFF


def extended(data, values):
    data.PixelRepresentation, data.RescaleIntercept = 1, 502
    return values - 1024


@pytest.mark.parametrize("change", [overlay, signed, extended])
def test_bits_above_those_stored_do_not_count(tmp_path, change):
    cine = numbered()
    write_series(tmp_path / "scan", cine, AFFINE, tell=rewritten(change))
    volume = read_dicom(tmp_path / "scan")
    in_order(volume)
    np.testing.assert_allclose(volume.data, cine, atol=0.3)


def test_values_that_run_on_above_the_bits_stored_are_refused(tmp_path, smooth):
    """pydicom, GDCM and dcm2niix cut such bits off: bright pixels would turn dark."""
    write_series(tmp_path / "scan", smooth, AFFINE, tell=rewritten(lambda _data, values: values))
    with pytest.raises(FacewarpError, match="values up to 7620, but 12 bits stored"):
        read_dicom(tmp_path / "scan")


def test_values_in_the_upper_bits_are_refused(tmp_path):
    def upper(data, values):
        data.HighBit = 15
        return values << 4

    write_series(tmp_path / "scan", numbered(), AFFINE, tell=rewritten(upper))
    with pytest.raises(FacewarpError, match="do not fit the header"):
        read_dicom(tmp_path / "scan")


def test_float_pixels_are_read(tmp_path):
    cine = numbered()

    def tell(data, t, z):
        del data.PixelData, data.RescaleSlope, data.RescaleIntercept
        del data.BitsStored, data.HighBit, data.PixelRepresentation
        data.FloatPixelData, data.BitsAllocated = cine[t, z].tobytes(), 32

    write_series(tmp_path / "scan", cine, AFFINE, tell=tell)
    np.testing.assert_array_equal(read_dicom(tmp_path / "scan").data, cine)


@pytest.mark.parametrize("shape", [(20, 24), (19, 23)])
def test_pixels_of_12_bits_packed_together_are_read(tmp_path, shape):
    """Two in three bytes; of an odd number the last has two bytes of its own."""
    cine = numbered(shape=shape)

    def tell(data, t, z):
        values = np.append(np.rint(cine[t, z]).astype(np.int32), 0)[
            : (cine[t, z].size + 1) // 2 * 2
        ]
        one, other = values[::2], values[1::2]
        packed = np.stack([one & 255, one >> 8 | (other & 15) << 4, other >> 4], axis=1)
        data.PixelData = packed.astype(np.uint8).tobytes() + b"\0" * (packed.size % 2)
        data.BitsAllocated = data.BitsStored = 12
        data.HighBit, data.RescaleSlope, data.RescaleIntercept = 11, 1, 0

    paths = write_series(tmp_path / "scan", cine, AFFINE, tell=tell)
    in_order(read_dicom(tmp_path / "scan"))
    data = pydicom.dcmread(paths[3, 2])
    data.PixelData = data.PixelData[:300]
    data.save_as(paths[3, 2])
    with pytest.raises(FacewarpError, match="cut short"):
        read_dicom(tmp_path / "scan")


def test_a_modality_table_tells_what_values_mean(tmp_path):
    """In place of slope and intercept, which then count for nothing."""
    cine = numbered()

    def tabled(data, _t, _z):
        table = Dataset()
        table.add_new("LUTDescriptor", "US", [8192, 0, 16])
        table.add_new("LUTData", "OW", (np.arange(8192, dtype="<u2") * 3 + 5).tobytes())
        table.ModalityLUTType = "US"
        data.ModalityLUTSequence = Sequence([table])

    write_series(tmp_path / "scan", cine, AFFINE, tell=tabled)
    np.testing.assert_allclose(read_dicom(tmp_path / "scan").data, 6 * (cine + 10) + 5, atol=2)


def test_a_slope_without_an_intercept_scales(tmp_path):
    """pydicom asks for both."""
    cine = numbered()
    plain = write_series(tmp_path / "plain", cine, AFFINE)
    for path in plain.values():
        data = pydicom.dcmread(path)
        del data.RescaleIntercept
        data.RescaleSlope = 2.5
        data.save_as(path)
    np.testing.assert_allclose(read_dicom(tmp_path / "plain").data, 5 * (cine + 10), atol=2)


def test_numbers_of_colors_are_no_gray_values(tmp_path):
    def colored(data, _t, _z):
        data.PhotometricInterpretation = "PALETTE COLOR"

    write_series(tmp_path / "scan", numbered(), AFFINE, tell=colored)
    with pytest.raises(FacewarpError, match="a picture in colour"):
        read_dicom(tmp_path / "scan")
