// The shaders that draw on the frame. Positions are px of the frame or of the crop, y down.

const TO_CLIP = `
uniform vec2 frame_size;
vec4 to_clip(vec2 frame_px) {
  vec2 at = (frame_px + 0.5) / frame_size * 2.0 - 1.0;
  return vec4(at.x, -at.y, 0.0, 1.0);
}`;

/** A field (65 x 80 points, px of the crop) in a float texture, linear between its points. */
const FIELD = `
uniform sampler2D field;
vec2 displacement(vec2 crop_px) {
  vec2 at = clamp((crop_px + 0.5) / 4.0 - 0.5, vec2(0.0), vec2(64.0, 79.0));
  ivec2 low = ivec2(floor(at)), high = min(low + 1, ivec2(64, 79));
  vec2 part = at - vec2(low);
  vec2 upper = mix(texelFetch(field, low, 0).xy, texelFetch(field, ivec2(high.x, low.y), 0).xy, part.x);
  vec2 lower = mix(texelFetch(field, ivec2(low.x, high.y), 0).xy, texelFetch(field, high, 0).xy, part.x);
  return mix(upper, lower, part.y);
}`;

export const FRAME = {
  vertex: `#version 300 es
in vec2 place; out vec2 uv;
void main() { uv = place; gl_Position = vec4(2.0 * place.x - 1.0, 1.0 - 2.0 * place.y, 0.0, 1.0); }`,
  fragment: `#version 300 es
precision mediump float; in vec2 uv; out vec4 color; uniform sampler2D frame;
void main() { color = vec4(texture(frame, uv).rgb, 1.0); }`,
};

export const OVERLAY = {
  vertex: `#version 300 es
in vec2 place; out highp vec2 crop_px; out highp vec2 frame_uv;
uniform mat3 to_frame; ${TO_CLIP}
void main() {
  crop_px = vec2(-24.0) + place * vec2(307.0, 367.0);
  vec2 px = (to_frame * vec3(crop_px, 1.0)).xy;
  frame_uv = (px + 0.5) / frame_size;
  gl_Position = to_clip(px);
}`,
  fragment: `#version 300 es
precision highp float; in highp vec2 crop_px; in highp vec2 frame_uv; out vec4 color;
uniform sampler2D picture, frame, seen, light;
uniform float opacity, grain, is_lit, is_occluded, is_sheer, black, blur, px_per_px, noise, seed; uniform mat3 mixing; ${FIELD}
const vec3 LUMA = vec3(0.299, 0.587, 0.114);
// The picture, as soft as the camera's: a Gaussian of nine places, each as coarse as they lie apart.
vec4 painted(vec2 at) {
  if (blur <= 0.0) return texture(picture, at / vec2(260.0, 320.0));
  vec4 sum = vec4(0.0);
  float wide = max(blur * blur, 1.0);
  float apart = 1.2 * sqrt(blur * blur - 0.25 * (wide - 1.0)) * px_per_px; // coarser levels are soft themselves
  for (int y = -1; y <= 1; y++) for (int x = -1; x <= 1; x++) {
    float weight = (x == 0 ? 0.306 : 0.347) * (y == 0 ? 0.306 : 0.347);
    vec2 place = at + vec2(x, y) * apart;
    sum += weight * texture(picture, place / vec2(260.0, 320.0), 0.5 * log2(wide));
  }
  return sum;
}
// Noise of mean 0 and deviation 1, another one in each px and frame.
float grained(vec2 px) {
  uint bits = uint(px.x) * 1973u + uint(px.y) * 9277u + uint(seed) * 26699u;
  bits = (bits ^ 61u) ^ (bits >> 16u);
  bits *= 9u;
  bits ^= bits >> 4u;
  bits *= 0x27d4eb2du;
  bits ^= bits >> 15u;
  uvec4 parts = (uvec4(bits) >> uvec4(0u, 8u, 16u, 24u)) & 255u;
  return (dot(vec4(parts), vec4(1.0 / 255.0)) - 2.0) / 0.5796;
}
void main() {
  vec2 at = crop_px + displacement(crop_px) + 0.5;
  vec2 inner = min(at, vec2(260.0, 320.0) - at);
  vec4 paint = painted(at);
  if (min(inner.x, inner.y) <= 0.0 || paint.a == 0.0) discard;
  vec2 fade = smoothstep(vec2(0.0), vec2(6.0), inner);
  vec2 in_crop = (crop_px + 0.5) / vec2(260.0, 320.0);
  float shown = is_occluded > 0.0 ? texture(seen, in_crop).r : 1.0;
  paint *= opacity * fade.x * fade.y * shown;
  if (is_lit > 0.0) {
    vec2 lit = texture(light, in_crop).rg;
    float gray = dot(texture(frame, frame_uv).rgb, LUMA);
    float fine = clamp(pow(max(gray / max(lit.g, 0.004), 0.001), grain), 0.5, 1.35);
    float gain = lit.r * 255.0 / 128.0 * fine;
    paint.rgb = clamp(mixing * paint.rgb, 0.0, 1.0);
    float excess = 0.0;
    if (is_sheer > 0.0) {
      float bright = gain * dot(paint.rgb, LUMA);
      float most = paint.a * max(gray, smoothstep(0.5, 0.95, paint.a));
      float factor = pow(min(most / max(bright, 0.004), 1.0), 0.25);
      excess = max(bright * factor - most, 0.0);
      gain *= factor;
    }
    if (noise > 0.0) gain += noise * grained(gl_FragCoord.xy);
    vec3 shown = max(paint.rgb * gain - excess, 0.0);
    paint.rgb = min(mix(shown, vec3(paint.a), black), vec3(paint.a));
  }
  color = paint;
}`,
};

export const CANONICAL = {
  vertex: `#version 300 es
in vec2 place; out highp vec2 template_px; uniform vec2 spread;
void main() {
  template_px = place * vec2(260.0, 320.0) - 0.5;
  gl_Position = vec4((2.0 * place.x - 1.0) * spread.x, (1.0 - 2.0 * place.y) * spread.y, 0.0, 1.0);
}`,
  fragment: `#version 300 es
precision highp float; in highp vec2 template_px; out vec4 color;
uniform sampler2D frame; uniform mat3 to_frame; uniform vec2 frame_size; ${FIELD}
void main() {
  vec2 px = (to_frame * vec3(template_px + displacement(template_px), 1.0)).xy;
  color = vec4(texture(frame, (px + 0.5) / frame_size).rgb, 1.0);
}`,
};

export const LINES = {
  vertex: `#version 300 es
in vec2 place; in vec3 side; in vec4 tint; out vec3 across; out vec4 rgba; ${TO_CLIP}
void main() { across = side; rgba = tint; gl_Position = to_clip(place); }`,
  fragment: `#version 300 es
precision highp float; in vec3 across; in vec4 rgba; out vec4 color;
void main() {
  float cover = clamp(across.z + 0.5 - length(across.xy), 0.0, 1.0);
  if (cover == 0.0) discard;
  color = rgba * cover;
}`,
};
