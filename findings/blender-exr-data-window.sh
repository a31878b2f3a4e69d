#!/usr/bin/env bash
# Blender's compositor puts an OpenEXR's data window into the middle of the frame.
#
# One would guess: a file whose data window is smaller than its display window is shown where the
# data window says, with nothing around it, as Nuke, OpenImageIO and the format's own page have it.
# What happens: Blender 5.0 takes the data window's size as the picture's size, and the compositor
# centers that. A point at column 12 of a display window of 64 is found elsewhere, unless the data
# window happens to lie in the middle.
# What follows: passes for several programs have a data window as large as the display window; zeros
# compress to nearly nothing, though writing them takes time. (Downloads 370 MB.)
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3.11 -m venv "$place/venv"
"$place/venv/bin/pip" install -q bpy==5.0.1 openexr==3.5.3
cd "$place"
cat > write.py <<'P'
import numpy as np
import OpenEXR

plane = np.zeros((8, 16), np.float32)
plane[4, 4] = 1  # column 12, row 24 of the display window
header = {
    "compression": OpenEXR.ZIPS_COMPRESSION,
    "type": OpenEXR.scanlineimage,
    "displayWindow": (np.array([0, 0], np.int32), np.array([63, 47], np.int32)),
    "dataWindow": (np.array([8, 20], np.int32), np.array([23, 27], np.int32)),
}
OpenEXR.File(header, {"matte.A": plane}).write("in.exr")
P
cat > show.py <<'P'
import bpy

scene = bpy.context.scene
scene.render.resolution_x, scene.render.resolution_y = 64, 48
scene.render.resolution_percentage = 100
scene.render.engine = "BLENDER_WORKBENCH"
tree = bpy.data.node_groups.new("tree", "CompositorNodeTree")
scene.compositing_node_group = tree
tree.interface.new_socket("Image", in_out="OUTPUT", socket_type="NodeSocketColor")
image = tree.nodes.new("CompositorNodeImage")
image.image = bpy.data.images.load("//in.exr" if bpy.data.filepath else __file__[:-7] + "in.exr")
image.image.colorspace_settings.name = "Non-Color"
tree.links.new(image.outputs["matte"], tree.nodes.new("NodeGroupOutput").inputs[0])
camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
scene.collection.objects.link(camera)
scene.camera = camera
settings = scene.render.image_settings
settings.file_format, settings.color_depth = "OPEN_EXR", "32"
scene.render.filepath = __file__[:-7] + "out.exr"
bpy.ops.render.render(write_still=True)
print("Blender", bpy.app.version_string)
P
"$place/venv/bin/python" write.py
"$place/venv/bin/python" "$place/show.py" | grep Blender
"$place/venv/bin/python" - <<'P'
import numpy as np
import OpenEXR

with OpenEXR.File("out.exr", separate_channels=True) as file:
    red = file.channels()["R"].pixels
row, column = np.unravel_index(red.argmax(), red.shape)
print(f"a point at column 12, row 24 of the display window is found at {column}, {row}")
assert red.max() > 0.9
assert (column, row) == (12 + (64 - 16) // 2 - 8, 24 + (48 - 8) // 2 - 20)
assert (column, row) != (12, 24)
P
