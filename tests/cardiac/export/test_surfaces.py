"""Moving surfaces against labels and formulas, and their files read by VTK, trimesh, pygltflib."""

import json
import xml.etree.ElementTree as ET

import numpy as np
import pygltflib
import pytest
import trimesh

from facewarp.cardiac.export.gltf import write_gltf
from facewarp.cardiac.export.surfaces import moving_surfaces, part_surfaces, surface_net
from facewarp.cardiac.export.vtk_series import write_vtk_series
from facewarp.cardiac.parts import HeartPart


@pytest.fixture(scope="module")
def surfaces(result):
    return moving_surfaces(result)


def test_a_ball_has_its_volume_and_is_closed():
    z, y, x = np.indices((40, 42, 44))
    values = 14.3 - np.sqrt((z - 19.6) ** 2 + (y - 20.2) ** 2 + (x - 21.1) ** 2)
    vertices, triangles = surface_net(values)
    mesh = trimesh.Trimesh(vertices, triangles, process=False)
    assert mesh.is_watertight
    assert mesh.is_winding_consistent
    assert abs(mesh.volume) == pytest.approx(4 / 3 * np.pi * 14.3**3, rel=0.01)
    radii = np.linalg.norm(vertices - (19.6, 20.2, 21.1), axis=1)
    np.testing.assert_allclose(radii, 14.3, atol=0.2)


def test_no_labels_have_no_surface():
    assert part_surfaces(np.zeros((4, 9, 9), np.uint8), (1.5, 1.5, 8.0)) == []


@pytest.mark.slow
def test_surfaces_hold_what_the_labels_hold(surfaces, result):
    """In every phase, within 4 %: surfaces are smooth, voxels are not."""
    assert [surface.part for surface in surfaces] == [
        HeartPart.LV,
        HeartPart.MYOCARDIUM,
        HeartPart.RV,
    ]
    for surface in surfaces:
        counted = result.volumes_ml[:, surface.part]
        np.testing.assert_allclose(surface.volume_ml(), counted, rtol=0.04)


@pytest.mark.slow
def test_surfaces_are_closed_and_lie_where_the_labels_lie(surfaces, result):
    affine = np.diag([-1, -1, 1, 1]) @ result.cine.volume.affine
    for surface in surfaces:
        mesh = trimesh.Trimesh(surface.vertices_mm[result.ed], surface.triangles, process=False)
        edges = surface.triangles[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2)
        there, back = (np.sort(a * 10**7 + b) for a, b in (edges.T, edges.T[::-1]))
        np.testing.assert_array_equal(there, back)  # every edge is walked both ways: no hole
        assert mesh.volume > 0, "normals point outwards"
        z, y, x = np.nonzero(result.labels[result.ed] == surface.part)
        middle = (affine[:3, :3] @ [x.mean(), y.mean(), z.mean()]) + affine[:3, 3]
        assert np.linalg.norm(mesh.center_mass - middle) < 2.0


@pytest.mark.slow
def test_vtk_reads_the_series(surfaces, result, tmp_path):
    from vtkmodules.vtkIOXML import vtkXMLPolyDataReader

    write_vtk_series(tmp_path, surfaces, result.cine.frames, 0.15)
    listed = ET.parse(tmp_path / "mesh.pvd").findall(".//DataSet")
    assert [float(one.get("timestep")) for one in listed] == pytest.approx(
        [0.15 * phase for phase in range(6)]
    )
    for phase, entry in enumerate(listed):
        reader = vtkXMLPolyDataReader()
        reader.SetFileName(str(tmp_path / entry.get("file")))
        reader.Update()
        found = reader.GetOutput()
        assert found.GetNumberOfPolys() == sum(len(s.triangles) for s in surfaces)
        expected = np.concatenate([s.vertices_mm[phase] for s in surfaces])
        bounds = np.array(found.GetBounds()).reshape(3, 2).T
        np.testing.assert_allclose(bounds, [expected.min(axis=0), expected.max(axis=0)], atol=1e-3)
        assert found.GetCellData().GetArray("part").GetRange() == (1.0, 3.0)
        assert found.GetFieldData().GetAbstractArray("SPACE").GetValue(0) == "LPS"


@pytest.mark.slow
def test_gltf_is_read_by_others_in_metres_with_y_up(surfaces, result, tmp_path):
    path = tmp_path / "mesh.glb"
    write_gltf(path, surfaces, result.ed, [0.15 * p for p in range(6)], 0.9)
    scene = trimesh.load(path)
    for surface in surfaces:
        name = {1: "rv", 2: "myocardium", 3: "lv"}[surface.part]
        assert scene.geometry[name].volume / 1000 == pytest.approx(
            surface.volume_ml()[result.ed], rel=1e-3
        )
    turned, _ = scene.graph["lv"]
    direction = turned[:3, :3] / 0.001
    np.testing.assert_allclose(direction @ [0, 0, 1], [0, 1, 0], atol=1e-6)  # head is up
    np.testing.assert_allclose(direction @ [1, 0, 0], [1, 0, 0], atol=1e-6)  # left stays left
    assert np.abs(scene.bounds).max() < 0.2  # a heart around the origin


@pytest.mark.slow
def test_gltf_beats_by_one_morph_target_a_phase(surfaces, result, tmp_path):
    path = tmp_path / "mesh.glb"
    write_gltf(path, surfaces, result.ed, [0.15 * p for p in range(6)], 0.9)
    held = pygltflib.GLTF2().load(str(path))
    blob = held.binary_blob()

    def values(index, components):
        accessor = held.accessors[index]
        view = held.bufferViews[accessor.bufferView]
        raw = blob[view.byteOffset : view.byteOffset + view.byteLength]
        found = np.frombuffer(raw, np.float32)
        return found.reshape(-1, components) if components > 1 else found

    sampler = held.animations[0].samplers[0]
    np.testing.assert_allclose(values(sampler.input, 1), 0.15 * np.arange(7), atol=1e-6)
    weights = values(sampler.output, 1).reshape(7, 5)
    np.testing.assert_array_equal(weights[0], weights[-1])  # the loop closes
    np.testing.assert_array_equal(weights[1:6], np.eye(5))
    for mesh, surface in zip(held.meshes, surfaces, strict=True):
        primitive = mesh.primitives[0]
        rest = values(primitive.attributes.POSITION, 3)
        moved = [values(target["POSITION"], 3) for target in primitive.targets]
        np.testing.assert_allclose(rest, surface.vertices_mm[0], atol=1e-3)
        for phase, change in enumerate(moved, start=1):
            np.testing.assert_allclose(rest + change, surface.vertices_mm[phase], atol=1e-3)
    assert json.loads(held.to_json())["asset"]["version"] == "2.0"
