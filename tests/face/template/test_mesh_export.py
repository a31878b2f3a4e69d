"""The template's mesh in 3D files, read back by trimesh and pygltflib."""

from dataclasses import replace

import numpy as np
import pygltflib
import pytest
import trimesh

from facewarp.errors import FacewarpError
from facewarp.face.template.mesh_export import FaceMesh, exported

PARTS = {"face", "brow_left", "brow_right", "nose", "mouth"}


@pytest.fixture(scope="module")
def mesh(template):
    return FaceMesh.of(template)


def written(template, path):
    for target, data in exported(template, path).items():
        target.write_bytes(data)
    return path


def test_the_mesh_has_a_faces_size_and_looks_ahead(mesh):
    size = np.ptp(mesh.positions, axis=0)
    assert 0.12 < size[0] < 0.2  # metres
    assert 0.14 < size[1] < 0.25
    assert 0.05 < size[2] < 0.15
    assert mesh.positions[30, 2] == mesh.positions[:, 2].max()  # the tip of the nose
    assert mesh.positions[36, 0] < 0 < mesh.positions[45, 0]
    assert (mesh.normals[:, 2] > 0).mean() > 0.95
    np.testing.assert_allclose(np.linalg.norm(mesh.normals, axis=1), 1, atol=1e-9)
    assert set(mesh.groups()) == PARTS


def test_an_obj_has_groups_materials_and_the_templates_coordinates(template, mesh, tmp_path):
    read = trimesh.load(written(template, tmp_path / "face.obj"), process=False, split_object=True)
    assert sum(len(one.faces) for one in read.geometry.values()) == len(template.triangles)
    lines = (tmp_path / "face.obj").read_text().splitlines()
    assert {line[2:] for line in lines if line.startswith("g ")} == PARTS
    uv = np.array([line.split()[1:] for line in lines if line.startswith("vt ")], float)
    px = uv * (260, 320) * (1, -1) + (0, 320) - 0.5
    np.testing.assert_allclose(px, template.mesh_points, atol=0.01)
    assert "mtllib face.mtl" in lines
    assert (tmp_path / "face.png").read_bytes()[:4] == b"\x89PNG"


def test_a_glb_has_a_primitive_a_part_and_the_templates_coordinates(template, mesh, tmp_path):
    path = written(template, tmp_path / "face.glb")
    read = pygltflib.GLTF2().load(str(path))
    assert {material.name for material in read.materials} == PARTS
    (shape,) = read.meshes
    assert len(shape.primitives) == len(PARTS)
    blob = read.binary_blob()

    def array(index, kind, columns):
        accessor = read.accessors[index]
        start = read.bufferViews[accessor.bufferView].byteOffset
        count = accessor.count * columns
        return np.frombuffer(blob, kind, count, start).reshape(-1, columns)

    attributes = shape.primitives[0].attributes
    np.testing.assert_allclose(array(attributes.POSITION, "<f4", 3), mesh.positions, atol=1e-6)
    px = array(attributes.TEXCOORD_0, "<f4", 2) * (260, 320) - 0.5
    np.testing.assert_allclose(px, template.mesh_points, atol=0.01)
    faces = np.concatenate([array(one.indices, "<u4", 1) for one in shape.primitives]).reshape(
        -1, 3
    )
    assert {tuple(sorted(t)) for t in faces.tolist()} == {
        tuple(sorted(t)) for t in template.triangles.tolist()
    }
    scene = trimesh.load(path)
    assert sum(len(one.faces) for one in scene.geometry.values()) == len(template.triangles)


def test_the_topology_is_the_same_for_every_template(template, mesh):
    shifted = np.zeros((2, 320, 260), np.float32)
    shifted[0] = 3
    other = FaceMesh.of(replace(template, texture_field=shifted))
    np.testing.assert_array_equal(np.sort(other.triangles), np.sort(mesh.triangles))
    assert np.isfinite(other.positions).all()


def test_another_kind_of_file_is_told(template, tmp_path):
    with pytest.raises(FacewarpError, match=r"\.obj or \.glb"):
        exported(template, tmp_path / "face.fbx")
