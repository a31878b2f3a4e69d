"""Outlines of the parts as masks of After Effects: a script in its documented ExtendScript.

What mocha and After Effects put on the clipboard for mask paths is published by neither; the
scripting interface is, by Adobe: `MaskPropertyGroup`, `Shape`, `Property.setValuesAtTimes`.
"""

import json
from typing import Any, Final

import numpy as np

from facewarp.face.track_export.shot import Shot, runs

_SCRIPT: Final = """\
// {title}: the parts of its faces as masks. Made by facewarp.
// Select the layer of the clip in its composition, then File > Scripts > Run Script File.
(function () {{
    var SIZE = {size}, RATE = {rate};
    // of each mask: name, [first, last] frame of the spans where the face is there, the frames,
    // and the points of each, x, y, x, y, ... px from the upper left corner
    var MASKS = {masks};

    function shapeOf(values) {{
        var shape = new Shape(), points = [], into = [], out = [], count = values.length / 2, i;
        for (i = 0; i < count; i++) {{
            points.push([values[2 * i], values[2 * i + 1]]);
        }}
        for (i = 0; i < count; i++) {{
            var next = points[(i + 1) % count], last = points[(i + count - 1) % count];
            var handle = [(next[0] - last[0]) / 6, (next[1] - last[1]) / 6];
            out.push(handle);
            into.push([-handle[0], -handle[1]]);
        }}
        shape.vertices = points;
        shape.inTangents = into;
        shape.outTangents = out;
        shape.closed = true;
        return shape;
    }}

    function show(opacity, time, value) {{
        opacity.setValueAtTime(time, value);
        var key = opacity.nearestKeyIndex(time), hold = KeyframeInterpolationType.HOLD;
        opacity.setInterpolationTypeAtKey(key, hold, hold);
    }}

    var comp = app.project ? app.project.activeItem : null;
    if (!(comp instanceof CompItem) || comp.selectedLayers.length !== 1) {{
        alert("Select the layer of the clip in its composition first.");
        return;
    }}
    var layer = comp.selectedLayers[0];
    if (layer.width !== SIZE[0] || layer.height !== SIZE[1]) {{
        var sizes = [layer.width + "x" + layer.height, SIZE[0] + "x" + SIZE[1]];
        alert("The layer is " + sizes[0] + ", the clip was " + sizes[1] + ".");
        return;
    }}
    app.beginUndoGroup("facewarp masks");
    for (var m = 0; m < MASKS.length; m++) {{
        var told = MASKS[m], times = [], shapes = [], i;
        var mask = layer.property("ADBE Mask Parade").addProperty("ADBE Mask Atom");
        mask.name = told.name;
        mask.maskMode = MaskMode.NONE;
        for (i = 0; i < told.frames.length; i++) {{
            times.push(layer.startTime + told.frames[i] / RATE);
            shapes.push(shapeOf(told.points[i]));
        }}
        mask.property("ADBE Mask Shape").setValuesAtTimes(times, shapes);
        var opacity = mask.property("ADBE Mask Opacity");
        if (told.spans[0][0] > 0) {{
            show(opacity, layer.startTime, 0);
        }}
        for (i = 0; i < told.spans.length; i++) {{
            show(opacity, layer.startTime + told.spans[i][0] / RATE, 100);
            show(opacity, layer.startTime + (told.spans[i][1] + 1) / RATE, 0);
        }}
    }}
    app.endUndoGroup();
}})();
"""


def after_effects_masks(shot: Shot) -> str:
    """Write the parts of a shot's faces as animated masks of a layer.

    Frames count from the clip's first; where a face is lost, its masks have no opacity.
    """
    assert shot.first is not None
    masks: list[dict[str, Any]] = []
    for track in shot.tracks:
        frames = [number - shot.first for number in track.numbers]
        spans = [[frames[start], frames[end - 1]] for start, end in runs(frames)]
        for place, outline in enumerate(shot.outlines):
            points = [np.round(shapes[place] + 0.5, 2).ravel() for shapes in track.outlines]
            masks.append(
                {
                    "name": f"{track.name} {outline.name}",
                    "spans": spans,
                    "frames": frames,
                    "points": [values.tolist() for values in points],
                }
            )
    return _SCRIPT.format(
        title=shot.source.name.encode("ascii", "replace").decode(),
        size=json.dumps(shot.size),
        rate=repr(float(shot.rate)),
        masks=json.dumps(masks, separators=(",", ":")),
    )
