// Confidence of a registration: its expected Dice with the true parts.

import { CELL, COLUMNS, ROWS, SIZE, mixed, placed } from "./fields.js";

export const PARTS = 8;

/**
 * Returns the template's soft labels at p + field(p).
 * @param {Float32Array} labels 8 planes
 * @param {Float32Array} field crop px
 * @returns {Float32Array}
 */
export function warpedLabels(labels, field) {
  const found = new Float32Array(PARTS * SIZE);
  for (let row = 0, i = 0; row < ROWS; row++) {
    for (let column = 0; column < COLUMNS; column++, i++) {
      const at = placed(column + field[i] / CELL, row + field[i + SIZE] / CELL);
      for (let part = 0; part < PARTS; part++) found[part * SIZE + i] = mixed(labels, part * SIZE, at);
    }
  }
  return found;
}

/**
 * Mean Dice over parts of two soft segmentations, each part's points those where it is likeliest;
 * a part absent from both does not count.
 * @param {Float32Array} one 8 planes
 * @param {Float32Array} other 8 planes
 */
export function partDice(one, other) {
  const [shared, total] = [new Float64Array(PARTS), new Float64Array(PARTS)];
  for (let i = 0; i < SIZE; i++) {
    let [mostOne, mostOther] = [one[i], other[i]];
    for (let part = 1; part < PARTS; part++) {
      mostOne = Math.max(mostOne, one[part * SIZE + i]);
      mostOther = Math.max(mostOther, other[part * SIZE + i]);
    }
    for (let part = 1; part < PARTS; part++) {
      const [ours, theirs] = [one[part * SIZE + i] === mostOne, other[part * SIZE + i] === mostOther];
      if (ours) total[part] += 1;
      if (theirs) total[part] += 1;
      if (ours && theirs) shared[part] += 1;
    }
  }
  let [sum, present] = [0, 0];
  for (let part = 1; part < PARTS; part++) {
    if (!total[part]) continue;
    present += 1;
    sum += (2 * shared[part]) / total[part];
  }
  return present ? sum / present : 0;
}

/**
 * Maps part Dice to confidence by a curve of straight lines.
 * @param {[number, number][]} knots rising from 0 to 1
 * @param {number} agreement
 */
export function calibrated(knots, agreement) {
  const next = knots.findIndex(([x]) => x >= agreement);
  if (next <= 0) return knots[Math.max(next, 0)][1];
  const [[x0, y0], [x1, y1]] = [knots[next - 1], knots[next]];
  return y0 + ((agreement - x0) / (x1 - x0)) * (y1 - y0);
}
