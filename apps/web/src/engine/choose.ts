/** Try every candidate on this device, and keep the fastest that reproduces the stored tile. */

import { roundUp } from "../core/tiling";
import { artifactOf, bundle } from "./bundle_facts";
import { CANDIDATES, type Candidate } from "./candidates";
import { type Difference, differenceOnCheck, TOLERANCES } from "./check";
import { fetchModel } from "./fetch_model";
import { type Engine, openEngine, whyNot } from "./session";

const TIMED_SIDE = 128;
const TIMED_RUNS = 3;
const PATIENCE = 30_000; // milliseconds; a broken graphics driver may never answer

/** What came of one candidate. */
export interface Verdict {
  readonly candidate: Candidate;
  /** Why it cannot be used, or null. */
  readonly problem: string | null;
  readonly difference: Difference | null;
  /** The best time of a tile of 128x128 pixels; null where it was not run. */
  readonly millisecondsPerTile: number | null;
}

export interface Choice {
  readonly verdicts: readonly Verdict[];
  readonly chosen: Verdict;
  readonly engine: Engine;
}

/** `wanted` is the key of a candidate, or null for all of them. Throws where none can be used. */
export async function chooseEngine(
  wanted: string | null,
  threads: number,
  trying: (candidate: Candidate) => void,
): Promise<Choice> {
  const verdicts: Verdict[] = [];
  let best: { verdict: Verdict; engine: Engine } | null = null;
  for (const candidate of CANDIDATES.filter(({ key }) => wanted === null || key === wanted)) {
    trying(candidate);
    const { verdict, engine } = await tryCandidate(candidate, threads);
    verdicts.push(verdict);
    if (engine === null) continue;
    if (best === null || time(verdict) < time(best.verdict)) {
      await best?.engine.release();
      best = { verdict, engine };
    } else {
      await engine.release();
    }
  }
  if (best === null) {
    const problems = verdicts.map(({ candidate, problem }) => `${candidate.label}: ${problem}`);
    throw new Error(`the model cannot run here (${problems.join("; ")}); try another browser`);
  }
  return { verdicts, chosen: best.verdict, engine: best.engine };
}

interface Attempt {
  readonly verdict: Verdict;
  readonly engine: Engine | null;
}

async function tryCandidate(candidate: Candidate, threads: number): Promise<Attempt> {
  const refused = (problem: string, difference: Difference | null = null): Attempt => ({
    verdict: { candidate, problem, difference, millisecondsPerTile: null },
    engine: null,
  });
  let engine: Engine | null = null;
  try {
    const artifact = artifactOf(candidate.precision);
    if (artifact === null) return refused(`the model has no ${candidate.precision} file`);
    const reason = await whyNot(candidate.device);
    if (reason !== null) return refused(reason);
    engine = await openEngine(candidate.device, await fetchModel(artifact), threads);
    const difference = await within(PATIENCE, differenceOnCheck(engine, artifact));
    const allowed = TOLERANCES[candidate.precision];
    if (difference.worst > allowed.worst || difference.mean > allowed.mean) {
      await engine.release();
      return refused("does not reproduce the stored tile", difference);
    }
    const millisecondsPerTile = await within(PATIENCE, bestTime(engine, TIMED_SIDE, TIMED_RUNS));
    return { verdict: { candidate, problem: null, difference, millisecondsPerTile }, engine };
  } catch (error) {
    void engine?.release().catch(() => {}); // it may never answer
    return refused(error instanceof Error ? error.message : String(error));
  }
}

/** The shortest of `runs` runs over a square tile, in milliseconds, after one that is not counted. */
export async function bestTime(engine: Engine, side: number, runs: number): Promise<number> {
  const size = roundUp(side, bundle.align);
  const tile = { width: size, height: size, data: new Float32Array(3 * size * size).fill(0.5) };
  await engine.run(tile);
  let best = Infinity;
  for (let run = 0; run < runs; run++) {
    const start = performance.now();
    await engine.run(tile);
    best = Math.min(best, performance.now() - start);
  }
  return best;
}

function time(verdict: Verdict): number {
  return verdict.millisecondsPerTile ?? Infinity;
}

function within<T>(milliseconds: number, result: Promise<T>): Promise<T> {
  const late = new Promise<never>((_, reject) => {
    setTimeout(() => reject(new Error(`took more than ${milliseconds / 1000} s`)), milliseconds);
  });
  return Promise.race([result, late]);
}
