/** The ways in which this app can run the model: a row each. */

export type Device = "wasm" | "webgpu";
export type Precision = "fp32" | "int8";

export interface Candidate {
  readonly key: string;
  readonly device: Device;
  readonly precision: Precision;
  readonly label: string;
}

/** INT8 is not run on WebGPU, which has no integer convolution and falls back to the CPU node by node. */
export const CANDIDATES: readonly Candidate[] = [
  { key: "wasm-int8", device: "wasm", precision: "int8", label: "CPU, INT8" },
  { key: "wasm-fp32", device: "wasm", precision: "fp32", label: "CPU, fp32" },
  { key: "webgpu-fp32", device: "webgpu", precision: "fp32", label: "GPU, fp32" },
];

const MOST_THREADS = 8;

/** Threads for the CPU: one core is left to the page; a single one where memory cannot be shared. */
export function threadsHere(): number {
  if (!self.crossOriginIsolated) return 1;
  return Math.min(Math.max(navigator.hardwareConcurrency - 1, 1), MOST_THREADS);
}
