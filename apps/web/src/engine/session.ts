/** ONNX Runtime Web, loaded for the device that is asked for. */

import type { InferenceSession, Tensor } from "onnxruntime-web";
import gpuModule from "onnxruntime-web/ort-wasm-simd-threaded.asyncify.mjs?url";
import gpuBinary from "onnxruntime-web/ort-wasm-simd-threaded.asyncify.wasm?url";
import cpuModule from "onnxruntime-web/ort-wasm-simd-threaded.mjs?url";
import cpuBinary from "onnxruntime-web/ort-wasm-simd-threaded.wasm?url";
import type { Planes } from "../core/layers";
import type { Device } from "./candidates";

/** A model that is ready to run. */
export interface Engine {
  /** Enlarge planes [3, h, w]; h and w are multiples of the bundle's `align`. */
  run(planes: Planes): Promise<Planes>;
  release(): Promise<void>;
}

const RUNTIMES = {
  wasm: { load: () => import("onnxruntime-web/wasm"), mjs: cpuModule, wasm: cpuBinary },
  webgpu: { load: () => import("onnxruntime-web/webgpu"), mjs: gpuModule, wasm: gpuBinary },
} as const;

/** Why a device cannot be used here, or null. */
export async function whyNot(device: Device): Promise<string | null> {
  if (device === "wasm") return null;
  const adapter = await navigator.gpu?.requestAdapter({ powerPreference: "high-performance" });
  if (!adapter) return "this browser offers no WebGPU";
  return adapter.info.isFallbackAdapter ? "WebGPU runs on the CPU here" : null;
}

/** Make a session of `model`. The first one on a device fixes its number of threads. */
export async function openEngine(device: Device, model: Uint8Array, threads: number): Promise<Engine> {
  const runtime = RUNTIMES[device];
  const ort = await runtime.load();
  ort.env.wasm.wasmPaths = { mjs: absolute(runtime.mjs), wasm: absolute(runtime.wasm) };
  ort.env.wasm.numThreads = threads;
  ort.env.logLevel = "error";
  const session = await ort.InferenceSession.create(model, { executionProviders: [device] });
  return new OrtEngine(session, (data, dims) => new ort.Tensor("float32", data, dims));
}

class OrtEngine implements Engine {
  constructor(
    private readonly session: InferenceSession,
    private readonly tensor: (data: Float32Array, dims: number[]) => Tensor,
  ) {}

  async run(planes: Planes): Promise<Planes> {
    const lr = this.tensor(planes.data, [1, 3, planes.height, planes.width]);
    const { sr } = await this.session.run({ lr }).catch(explain);
    if (sr === undefined) throw new Error("the model gave no picture; the bundle is faulty");
    const [, , height = 0, width = 0] = sr.dims;
    return { width, height, data: (await sr.getData()) as Float32Array };
  }

  async release(): Promise<void> {
    await this.session.release();
  }
}

function explain(error: unknown): never {
  const [line] = String(error).split("\n");
  throw new Error(`the engine failed (${line}); choose a smaller tile, or another engine, under Settings`);
}

function absolute(url: string): string {
  return new URL(url, self.location.href).href;
}
