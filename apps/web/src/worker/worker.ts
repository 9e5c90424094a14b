/** Everything heavy happens here, away from the page. */

import { type Part, toRgba } from "../core/layers";
import { type Plan, planTiles } from "../core/tiling";
import { bundle, radiusOf } from "../engine/bundle_facts";
import { threadsHere } from "../engine/candidates";
import { type Choice, chooseEngine } from "../engine/choose";
import { decode, type Picture } from "./decode";
import { enlarge } from "./enlarge";
import { largestTile, overviewReduction } from "./limits";
import type { Report, Request, ShownPart } from "./protocol";

let choice: Choice | null = null;
let running: { readonly id: number; readonly controller: AbortController } | null = null;

const say = (report: Report, transfer: Transferable[] = []) => self.postMessage(report, { transfer });

const HANDLERS: { [Type in Request["type"]]: (request: Extract<Request, { type: Type }>) => void } = {
  start: ({ engine }) => void start(engine),
  enlarge: ({ id, file, tile }) => void run(id, file, tile),
  cancel: ({ id }) => {
    if (running?.id === id) running.controller.abort();
  },
};

self.onmessage = ({ data }: MessageEvent<Request>) => (HANDLERS[data.type] as (request: Request) => void)(data);

async function start(wanted: string | null): Promise<void> {
  try {
    await choice?.engine.release();
    choice = await chooseEngine(wanted, threadsHere(), ({ label }) => say({ type: "trying", label }));
    say({ type: "ready", chosen: choice.chosen, verdicts: choice.verdicts, threads: threadsHere() });
  } catch (error) {
    say({ type: "unusable", message: messageOf(error) });
  }
}

async function run(id: number, file: File, tile: number | null): Promise<void> {
  const controller = new AbortController();
  running = { id, controller };
  try {
    const picture = await decode(file);
    await enlargePicture(id, picture, tile, controller.signal);
  } catch (error) {
    say(controller.signal.aborted ? { type: "cancelled", id } : { type: "failed", id, message: messageOf(error) });
  } finally {
    running = null;
  }
}

async function enlargePicture(id: number, picture: Picture, tile: number | null, signal: AbortSignal): Promise<void> {
  if (choice === null) throw new Error("no engine is ready; reload the page");
  const { pixels, kind, bitmap } = picture;
  const plan = planTiles(pixels.height, pixels.width, {
    align: bundle.align,
    radius: radiusOf(choice.chosen.candidate.precision),
    tile,
    largest: largestTile(),
  });
  const size = { width: pixels.width * bundle.scale, height: pixels.height * bundle.scale };
  const reduction = overviewReduction(size.width, size.height);
  say({ type: "opened", id, picture: { source: bitmap, ...size, reduction } }, [bitmap]);
  const begin = performance.now();
  const png = await enlarge({
    pixels,
    kind,
    plan,
    scale: bundle.scale,
    engine: choice.engine,
    signal,
    finished: async (part, done, total) => {
      const shown = await show(part, kind, reduction > 1);
      say({ type: "tile", id, done, total, part: shown }, [shown.bitmap]);
      await new Promise((resolve) => setTimeout(resolve)); // a wish to cancel can come in
    },
  });
  say({ type: "done", id, png, speed: { ...tilesOf(plan), seconds: (performance.now() - begin) / 1000 } });
}

async function show(part: Part, kind: Picture["kind"], detailed: boolean): Promise<ShownPart> {
  const canvas = new OffscreenCanvas(part.width, part.height);
  canvas.getContext("2d")?.putImageData(new ImageData(toRgba(part, kind), part.width, part.height), 0, 0);
  const detail = detailed
    ? await canvas.convertToBlob({ type: kind.alpha ? "image/webp" : "image/jpeg", quality: 0.92 })
    : null;
  return { x: part.x, y: part.y, bitmap: canvas.transferToImageBitmap(), detail };
}

function tilesOf(plan: Plan): { tiles: number; tileWidth: number; tileHeight: number } {
  const side = ([span]: Plan["rows"]) => (span === undefined ? 0 : span.stop - span.start);
  return { tiles: plan.rows.length * plan.columns.length, tileWidth: side(plan.columns), tileHeight: side(plan.rows) };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
