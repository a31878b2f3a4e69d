"""Tracks as a Python script for Blender: a mesh with UVs that moves, and tracks of the clip.

The mesh has one topology in every frame, lies in the picture's plane and is seen by a camera that
shows just the picture, so that what is painted on it renders in place over the clip. Its UVs are
the template's: (0, 0) lower left and (1, 1) upper right of the template.
"""

import json
from typing import Any

import numpy as np

from facewarp.face.crop import CROP_SHAPE
from facewarp.face.track_export.shot import LANDMARK_NAMES, Shot

_SCRIPT = '''"""{title}

Made by facewarp. Run it in Blender's text editor, or: blender --python FILE
"""

import json
import os

import bpy

CLIP = {clip!r}
WIDTH, HEIGHT, PIXEL_ASPECT = {width}, {height}, {aspect!r}
FPS, FPS_BASE = {fps}, {fps_base!r}
FIRST, LAST = {first}, {last}
LANDMARKS = {names!r}
TRIANGLES = json.loads({triangles!r})
UVS = json.loads({uvs!r})
# of each face: name, the frames where it is there, and x, y px of every point from the top left
FACES = json.loads({faces!r})

# Blender units of the picture: as high as wide is 1, its middle at the origin
ACROSS = PIXEL_ASPECT / (WIDTH * PIXEL_ASPECT)
DOWN = 1 / (WIDTH * PIXEL_ASPECT)


def place(x, y):
    return ((x + 0.5 - WIDTH / 2) * ACROSS, (HEIGHT / 2 - y - 0.5) * DOWN, 0.0)


def set_up(scene):
    render = scene.render
    render.resolution_x, render.resolution_y = WIDTH, HEIGHT
    render.resolution_percentage = 100
    render.pixel_aspect_x, render.pixel_aspect_y = max(PIXEL_ASPECT, 1), max(1 / PIXEL_ASPECT, 1)
    render.fps, render.fps_base = FPS, FPS_BASE
    render.film_transparent = True
    scene.frame_start, scene.frame_end = FIRST, LAST
    camera = bpy.data.objects.new("facewarp camera", bpy.data.cameras.new("facewarp camera"))
    camera.data.type, camera.data.sensor_fit = "ORTHO", "HORIZONTAL"
    camera.data.ortho_scale = 1.0
    camera.location = (0, 0, 1)
    scene.collection.objects.link(camera)
    scene.camera = camera


def add_mesh(scene, face):
    mesh = bpy.data.meshes.new(face["name"])
    shapes = face["points"]
    vertices = [[place(*point) for point in shape] for shape in shapes]
    mesh.from_pydata(vertices[0], [], TRIANGLES)
    layer = mesh.uv_layers.new(name="template")
    for loop in mesh.loops:
        layer.data[loop.index].uv = UVS[loop.vertex_index]
    made = bpy.data.objects.new(face["name"], mesh)
    scene.collection.objects.link(made)
    made.shape_key_add(name=f"frame {{face['frames'][0]}}")
    for number, shape in zip(face["frames"][1:], vertices[1:]):
        key = made.shape_key_add(name=f"frame {{number}}")
        key.data.foreach_set("co", [value for point in shape for value in point])
    keys = mesh.shape_keys
    keys.use_relative = False
    there = set(face["frames"])
    for number, key in zip(face["frames"], keys.key_blocks):
        key.interpolation = "KEY_LINEAR"
        keys.eval_time = key.frame
        keys.keyframe_insert("eval_time", frame=number)
    for number in range(FIRST, LAST + 1):
        if number == FIRST or (number in there) != (number - 1 in there):
            made.hide_render = made.hide_viewport = number not in there
            made.keyframe_insert("hide_render", frame=number)
            made.keyframe_insert("hide_viewport", frame=number)
    return made


def add_tracks(clip, face):
    clip.frame_start = FIRST  # markers count the clip's own frames, from 1
    for index, name in enumerate(LANDMARKS):
        begin = face["frames"][0] - FIRST + 1
        track = clip.tracking.tracks.new(name=face["name"] + " " + name, frame=begin)
        for number, shape in zip(face["frames"], face["points"]):
            x, y = shape[index]
            marker = track.markers.insert_frame(number - FIRST + 1)
            marker.co = ((x + 0.5) / WIDTH, 1 - (y + 0.5) / HEIGHT)
        there = set(face["frames"])
        for number in range(face["frames"][0], LAST + 1):
            if number not in there and number - 1 in there:
                gap = track.markers.insert_frame(number - FIRST + 1)
                gap.mute = True


def main():
    scene = bpy.context.scene
    set_up(scene)
    for face in FACES:
        add_mesh(scene, face)
    if os.path.isfile(CLIP):
        clip = bpy.data.movieclips.load(CLIP)
        for face in FACES:
            add_tracks(clip, face)
    else:
        print("facewarp: the clip is not at " + CLIP + "; its tracks were left out")


main()
'''


def blender_script(shot: Shot) -> str:
    """Write a shot as a Python script."""
    height, width = CROP_SHAPE
    mesh = shot.template.mesh_points
    uvs = np.stack([(mesh[:, 0] + 0.5) / width, 1 - (mesh[:, 1] + 0.5) / height], -1)
    faces: list[dict[str, Any]] = [
        {
            "name": track.name,
            "frames": track.numbers,
            "points": np.round(np.stack(track.points), 3).tolist(),
        }
        for track in shot.tracks
    ]
    fps = max(1, round(shot.rate))
    return _SCRIPT.format(
        title=f"{shot.source.name}: faces as meshes and tracks".replace('"', "'"),
        clip=str(shot.source.resolve()),
        width=shot.size[0],
        height=shot.size[1],
        aspect=float(shot.pixel_aspect),
        fps=fps,
        fps_base=float(fps / shot.rate),
        first=shot.first,
        last=shot.last,
        names=LANDMARK_NAMES,
        triangles=_json(shot.template.triangles.tolist()),
        uvs=_json(np.round(uvs, 6).tolist()),
        faces=_json(faces),
    )


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))
