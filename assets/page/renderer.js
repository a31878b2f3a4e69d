// Drawing in WebGL 2: the frame, and what the effect puts on the face, with the field as a texture.

import { CROP_HEIGHT, CROP_WIDTH, scaleOf } from "./crop.js";
import { COLUMNS, ROWS, SIZE } from "./fields.js";
import { LIGHT_COLUMNS, LIGHT_ROWS, SHARES } from "./light.js";
import { FLOATS, meshVertices, shownOf } from "./mesh.js";
import { sizeOf } from "./pixels.js";
import { CANONICAL, FRAME, LINES, OVERLAY } from "./shaders.js";

/** @typedef {import("./similarity.js").Affine} Affine */

/** @typedef {import("./preparing.js").Drawing} Drawing */

/** @typedef {{effect: string, opacity: number, blend: string}} Look */

/**
 * What is shown: the camera's frame for WebGL, or pixels that are drawn already.
 * @typedef {{frame: VideoFrame | ImageBitmap | null, drawings: Drawing[], pixels: import("./painting.js").Pixels | null}} Shown
 */

/**
 * A column-major 3 x 3 matrix for a shader.
 * @param {Affine} m
 */
export function shaderMatrix(m) {
  return Float32Array.of(m[0], m[3], 0, m[1], m[4], 0, m[2], m[5], 1);
}

/**
 * A field as a texture has it: x and y of each point in turn.
 * @param {Float32Array} field
 */
export function interleaved(field) {
  const found = new Float32Array(2 * SIZE);
  for (let i = 0; i < SIZE; i++) {
    found[2 * i] = field[i];
    found[2 * i + 1] = field[i + SIZE];
  }
  return found;
}

const SOFTEST_PX = 0.35; // the least blur that is worth it
const NO_TONE = { mixing: [1, 0, 0, 0, 1, 0, 0, 0, 1], black: 0, isSheer: false, blur: 0, noise: 0, seed: 0 };

export class Renderer {
  #gl;
  #programs;
  #textures;
  #square;
  #lines;
  /** @type {{edges: [number, number, number][], levels: number[]}} */
  #mesh;

  /**
   * @param {HTMLCanvasElement} canvas
   * @param {{edges: [number, number, number][], levels: number[]}} mesh of the template
   * @throws {Error} where the browser has no WebGL 2
   */
  constructor(canvas, mesh) {
    const gl = canvas.getContext("webgl2", { alpha: false, antialias: false, depth: false, desynchronized: true, powerPreference: "high-performance" });
    if (!gl) throw new Error("no WebGL 2");
    this.canvas = canvas;
    this.#gl = gl;
    this.#programs = { frame: linked(gl, FRAME), overlay: linked(gl, OVERLAY), canonical: linked(gl, CANONICAL), lines: linked(gl, LINES) };
    this.#textures = { frame: texture(gl, gl.LINEAR), field: texture(gl, gl.NEAREST), picture: texture(gl, gl.LINEAR_MIPMAP_LINEAR), seen: texture(gl, gl.LINEAR), light: texture(gl, gl.LINEAR), own: texture(gl, gl.LINEAR) };
    this.#square = buffer(gl, Float32Array.of(0, 0, 1, 0, 0, 1, 1, 1));
    this.#lines = gl.createBuffer();
    this.#mesh = mesh;
    gl.pixelStorei(gl.UNPACK_ALIGNMENT, 1);
  }

  /**
   * Takes the picture that is laid on faces.
   * @param {ImageBitmap} bitmap premultiplied
   */
  setPicture(bitmap) {
    const gl = this.#gl;
    gl.bindTexture(gl.TEXTURE_2D, this.#textures.picture);
    gl.pixelStorei(gl.UNPACK_PREMULTIPLY_ALPHA_WEBGL, false);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, gl.RGBA, gl.UNSIGNED_BYTE, bitmap);
    gl.generateMipmap(gl.TEXTURE_2D);
  }

  /**
   * Draws a frame.
   * @param {Shown} shown
   * @param {Look} look
   */
  draw({ frame, drawings }, look) {
    if (!frame) return;
    const gl = this.#gl;
    const [width, height] = sizeOf(frame);
    if (this.canvas.width !== width || this.canvas.height !== height) [this.canvas.width, this.canvas.height] = [width, height];
    gl.viewport(0, 0, width, height);
    gl.disable(gl.BLEND);
    gl.bindTexture(gl.TEXTURE_2D, this.#textures.frame);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, gl.RGBA, gl.UNSIGNED_BYTE, frame);
    if (look.effect === "canonical" && drawings.length) {
      this.#drawCanonical(drawings[0]);
      return;
    }
    this.#drawFrame();
    if (look.opacity <= 0) return;
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
    for (const drawing of drawings) {
      if (look.effect === "mesh") this.#drawMesh(drawing, look.opacity);
      else if (look.effect !== "canonical") this.#drawOverlay(drawing, look);
    }
  }

  /**
   * What the canvas shows, as a PNG; drawn anew, since a canvas forgets.
   * @param {Shown} shown
   * @param {Look} look
   * @returns {Promise<Blob | null>}
   */
  png(shown, look) {
    this.draw(shown, look);
    return new Promise((resolve) => this.canvas.toBlob(resolve, "image/png"));
  }

  #drawFrame() {
    const program = this.#use("frame");
    this.#bind(program, "frame", 0);
    this.#drawSquare(program);
  }

  /** @param {Drawing} drawing */
  #drawCanonical({ crop, back }) {
    const gl = this.#gl;
    const { width, height } = this.canvas;
    gl.clearColor(0.05, 0.06, 0.07, 1);
    gl.clear(gl.COLOR_BUFFER_BIT);
    const program = this.#use("canonical");
    this.#fill("field", gl.RG32F, COLUMNS, ROWS, gl.RG, gl.FLOAT, interleaved(back));
    gl.uniformMatrix3fv(program.at("to_frame"), false, shaderMatrix(crop));
    gl.uniform2f(program.at("frame_size"), width, height);
    const share = (height * CROP_WIDTH) / (width * CROP_HEIGHT);
    gl.uniform2f(program.at("spread"), Math.min(share, 1), Math.min(1 / share, 1));
    this.#bind(program, "frame", 0);
    this.#bind(program, "field", 1);
    this.#drawSquare(program);
  }

  /**
   * @param {Drawing} drawing
   * @param {Look} look
   */
  #drawOverlay(drawing, look) {
    const gl = this.#gl;
    const program = this.#use("overlay");
    if (drawing.picture) this.#fill("own", gl.RGBA, CROP_WIDTH, CROP_HEIGHT, gl.RGBA, gl.UNSIGNED_BYTE, new Uint8Array(drawing.picture.data.buffer));
    this.#fill("field", gl.RG32F, COLUMNS, ROWS, gl.RG, gl.FLOAT, interleaved(drawing.onto));
    if (drawing.seen) this.#fill("seen", gl.R8, CROP_WIDTH, CROP_HEIGHT, gl.RED, gl.UNSIGNED_BYTE, drawing.seen);
    if (drawing.light) this.#fill("light", gl.RG8, LIGHT_COLUMNS, LIGHT_ROWS, gl.RG, gl.UNSIGNED_BYTE, drawing.light);
    gl.uniformMatrix3fv(program.at("to_frame"), false, shaderMatrix(drawing.crop));
    gl.uniform2f(program.at("frame_size"), this.canvas.width, this.canvas.height);
    gl.uniform1f(program.at("opacity"), look.opacity);
    gl.uniform1f(program.at("grain"), SHARES[look.blend]?.[1] ?? 1);
    gl.uniform1f(program.at("is_lit"), drawing.light ? 1 : 0);
    gl.uniform1f(program.at("is_occluded"), drawing.seen ? 1 : 0);
    const { mixing, black, isSheer, blur, noise, seed } = drawing.tone ?? NO_TONE;
    gl.uniformMatrix3fv(program.at("mixing"), true, mixing);
    gl.uniform1f(program.at("black"), black);
    gl.uniform1f(program.at("is_sheer"), isSheer ? 1 : 0);
    gl.uniform1f(program.at("blur"), blur < SOFTEST_PX ? 0 : blur);
    gl.uniform1f(program.at("px_per_px"), 1 / scaleOf(drawing.crop));
    gl.uniform1f(program.at("noise"), noise);
    gl.uniform1f(program.at("seed"), seed % 4096);
    for (const [unit, name] of /** @type {const} */ (["frame", "field", "seen", "light"]).entries()) this.#bind(program, name, unit);
    this.#bind(program, drawing.picture ? "own" : "picture", 4, "picture");
    this.#drawSquare(program);
  }

  /**
   * @param {Drawing} drawing
   * @param {number} opacity
   */
  #drawMesh({ crop, mesh: points, seen }, opacity) {
    if (!points) return;
    const gl = this.#gl;
    const program = this.#use("lines");
    gl.uniform2f(program.at("frame_size"), this.canvas.width, this.canvas.height);
    const vertices = meshVertices(this.#mesh, points, scaleOf(crop), opacity, shownOf(points, crop, seen));
    gl.bindBuffer(gl.ARRAY_BUFFER, this.#lines);
    gl.bufferData(gl.ARRAY_BUFFER, vertices, gl.STREAM_DRAW);
    for (const [name, size, offset] of /** @type {[string, number, number][]} */ ([
      ["place", 2, 0],
      ["side", 3, 2],
      ["tint", 4, 5],
    ])) {
      const place = gl.getAttribLocation(program.handle, name);
      gl.enableVertexAttribArray(place);
      gl.vertexAttribPointer(place, size, gl.FLOAT, false, 4 * FLOATS, 4 * offset);
    }
    gl.drawArrays(gl.TRIANGLES, 0, vertices.length / FLOATS);
    for (const name of ["side", "tint"]) gl.disableVertexAttribArray(gl.getAttribLocation(program.handle, name));
  }

  /** @param {"frame" | "overlay" | "canonical" | "lines"} name */
  #use(name) {
    this.#gl.useProgram(this.#programs[name].handle);
    return this.#programs[name];
  }

  /**
   * @param {"field" | "seen" | "light" | "own"} name
   * @param {number} inside format in memory
   * @param {number} width
   * @param {number} height
   * @param {number} format
   * @param {number} type
   * @param {ArrayBufferView} values
   */
  #fill(name, inside, width, height, format, type, values) {
    const gl = this.#gl;
    gl.bindTexture(gl.TEXTURE_2D, this.#textures[name]);
    gl.texImage2D(gl.TEXTURE_2D, 0, inside, width, height, 0, format, type, values);
  }

  /**
   * @param {Linked} program
   * @param {"frame" | "field" | "picture" | "seen" | "light" | "own"} name
   * @param {number} unit
   * @param {string} uniform the sampler's name
   */
  #bind(program, name, unit, uniform = name) {
    const gl = this.#gl;
    gl.activeTexture(gl.TEXTURE0 + unit);
    gl.bindTexture(gl.TEXTURE_2D, this.#textures[name]);
    gl.uniform1i(program.at(uniform), unit);
    gl.activeTexture(gl.TEXTURE0);
  }

  /** @param {Linked} program */
  #drawSquare(program) {
    const gl = this.#gl;
    const place = gl.getAttribLocation(program.handle, "place");
    gl.bindBuffer(gl.ARRAY_BUFFER, this.#square);
    gl.enableVertexAttribArray(place);
    gl.vertexAttribPointer(place, 2, gl.FLOAT, false, 0, 0);
    gl.drawArrays(gl.TRIANGLE_STRIP, 0, 4);
  }
}

const SOFTWARE = /SwiftShader|llvmpipe|softpipe|Basic Render/i;

/** Whether WebGL 2 is there, and a GPU behind it: software that plays one is slower than none. */
export function hasGpu() {
  const gl = new OffscreenCanvas(1, 1).getContext("webgl2");
  if (!gl) return false;
  const names = gl.getExtension("WEBGL_debug_renderer_info");
  const name = String(gl.getParameter(names ? names.UNMASKED_RENDERER_WEBGL : gl.RENDERER));
  gl.getExtension("WEBGL_lose_context")?.loseContext();
  return !SOFTWARE.test(name);
}

/** A linked program and the places of its uniforms. */
class Linked {
  /** @type {Map<string, WebGLUniformLocation | null>} */
  #places = new Map();

  /**
   * @param {WebGL2RenderingContext} gl
   * @param {WebGLProgram} handle
   */
  constructor(gl, handle) {
    this.gl = gl;
    this.handle = handle;
  }

  /** @param {string} name */
  at(name) {
    let place = this.#places.get(name);
    if (place === undefined) this.#places.set(name, (place = this.gl.getUniformLocation(this.handle, name)));
    return place;
  }
}

/**
 * @param {WebGL2RenderingContext} gl
 * @param {{vertex: string, fragment: string}} source
 */
function linked(gl, source) {
  const program = gl.createProgram();
  for (const [kind, text] of /** @type {[number, string][]} */ ([
    [gl.VERTEX_SHADER, source.vertex],
    [gl.FRAGMENT_SHADER, source.fragment],
  ])) {
    const shader = /** @type {WebGLShader} */ (gl.createShader(kind));
    gl.shaderSource(shader, text);
    gl.compileShader(shader);
    if (!gl.getShaderParameter(shader, gl.COMPILE_STATUS)) throw new Error(gl.getShaderInfoLog(shader) ?? "shader");
    gl.attachShader(program, shader);
  }
  gl.linkProgram(program);
  if (!gl.getProgramParameter(program, gl.LINK_STATUS)) throw new Error(gl.getProgramInfoLog(program) ?? "program");
  return new Linked(gl, program);
}

/**
 * @param {WebGL2RenderingContext} gl
 * @param {number} filter
 */
function texture(gl, filter) {
  const made = gl.createTexture();
  gl.bindTexture(gl.TEXTURE_2D, made);
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, filter);
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAG_FILTER, filter === gl.NEAREST ? gl.NEAREST : gl.LINEAR);
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_S, gl.CLAMP_TO_EDGE);
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_T, gl.CLAMP_TO_EDGE);
  gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, 1, 1, 0, gl.RGBA, gl.UNSIGNED_BYTE, new Uint8Array(4));
  return made;
}

/**
 * @param {WebGL2RenderingContext} gl
 * @param {Float32Array} values
 */
function buffer(gl, values) {
  const made = gl.createBuffer();
  gl.bindBuffer(gl.ARRAY_BUFFER, made);
  gl.bufferData(gl.ARRAY_BUFFER, values, gl.STATIC_DRAW);
  return made;
}
