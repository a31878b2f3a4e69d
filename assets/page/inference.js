// ONNX Runtime in WebAssembly, as both workers start it.

import * as ort from "./ort.wasm.bundle.min.mjs";

/** @typedef {import("./ort.wasm.bundle.min.mjs").InferenceSession} InferenceSession */

/**
 * Starts the runtime of this worker.
 * @param {ArrayBuffer} runtime the WebAssembly file
 * @param {number} threads
 * @returns {(model: ArrayBuffer) => Promise<InferenceSession>} makes a network ready
 */
export function startRuntime(runtime, threads) {
  ort.env.wasm.wasmBinary = runtime;
  ort.env.wasm.numThreads = threads;
  ort.env.logLevel = "error";
  // Threads that spin between two operators take the cores from camera and drawing.
  const extra = { session: { intra_op: { allow_spinning: "0" } } };
  return (model) => ort.InferenceSession.create(new Uint8Array(model), { executionProviders: ["wasm"], graphOptimizationLevel: "all", extra });
}

/** Threads that it runs on. */
export const threadsOfRuntime = () => Number(ort.env.wasm.numThreads);

/**
 * Makes a tensor of float values.
 * @param {Float32Array} values
 * @param {number[]} shape
 */
export const tensor = (values, shape) => new ort.Tensor("float32", values, shape);

/**
 * Makes a tensor of whole numbers.
 * @param {number[]} values
 */
export const wholeNumbers = (values) => new ort.Tensor("int64", BigInt64Array.from(values, BigInt), [values.length]);
