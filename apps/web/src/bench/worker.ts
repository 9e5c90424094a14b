/** Measures one engine with one number of threads. */

import { artifactOf } from "../engine/bundle_facts";
import { bestTime } from "../engine/choose";
import { fetchModel } from "../engine/fetch_model";
import { openEngine, whyNot } from "../engine/session";
import type { Order, Row } from "./protocol";

const RUNS = 3;

self.onmessage = async ({ data: order }: MessageEvent<Order>) => self.postMessage(await measured(order));

async function measured(order: Order): Promise<Row> {
  try {
    const { load, tile } = await times(order);
    return { ...order, load, tile, problem: null };
  } catch (error) {
    return { ...order, load: null, tile: null, problem: error instanceof Error ? error.message : String(error) };
  }
}

async function times({ candidate, threads, side }: Order): Promise<{ load: number; tile: number }> {
  const reason = await whyNot(candidate.device);
  const artifact = artifactOf(candidate.precision);
  if (reason !== null || artifact === null) throw new Error(reason ?? `the model has no ${candidate.precision} file`);
  const model = await fetchModel(artifact); // its coming here is not the engine's time
  const begin = performance.now();
  const engine = await openEngine(candidate.device, model, threads);
  return { load: performance.now() - begin, tile: await bestTime(engine, side, RUNS) };
}
