// What the page uses of onnxruntime-web, which is not here until the page is built.

export class Tensor {
  constructor(type: "float32", data: Float32Array, dims: number[]);
  constructor(type: "int64", data: BigInt64Array, dims: number[]);
  readonly data: Float32Array | BigInt64Array;
}

export class InferenceSession {
  static create(model: Uint8Array, options: object): Promise<InferenceSession>;
  run(feeds: Record<string, Tensor>): Promise<Record<string, Tensor>>;
}

export const env: {
  logLevel: "error";
  wasm: { wasmBinary: ArrayBuffer; numThreads: number };
};
