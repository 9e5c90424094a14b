/** The pictures of this visit, enlarged one after the other. */

import type { Report, Request, Speed } from "../worker/protocol";
import { Comparison } from "./comparison";

export type State = "waiting" | "working" | "done" | "failed" | "cancelled";

export interface Job {
  readonly id: number;
  readonly file: File;
  state: State;
  /** Of the tiles. */
  done: number;
  total: number;
  /** When its first tile was begun, by `performance.now()`. */
  begun: number;
  message: string;
  comparison: Comparison | null;
  /** Of the result, in pixels; 0 until it is known. */
  width: number;
  height: number;
  png: Blob | null;
  speed: Speed | null;
}

const NEW: Omit<Job, "id" | "file"> = {
  state: "waiting",
  done: 0,
  total: 0,
  begun: 0,
  message: "",
  comparison: null,
  width: 0,
  height: 0,
  png: null,
  speed: null,
};

/** Comparisons older than the latest few give up their pixels where all together have more than this. */
const MOST_PIXELS = 80e6;

type PictureReport = Extract<Report, { id: number }>;

/** Sends one picture at a time to the worker and keeps what comes back. */
export class Jobs {
  readonly all: Job[] = [];
  #ready = false;

  constructor(
    private readonly send: (request: Request) => void,
    private readonly tile: () => number | null,
    /** A job changed; `event` is the report that made it change, if it was one. */
    private readonly changed: (job: Job, event: PictureReport["type"] | "changed") => void,
  ) {}

  add(files: readonly File[]): void {
    for (const file of files) {
      const job: Job = { ...NEW, id: this.all.length, file };
      this.all.push(job);
      this.changed(job, "changed");
    }
    this.#next();
  }

  /** Whether the worker takes pictures. */
  set ready(ready: boolean) {
    this.#ready = ready;
    this.#next();
  }

  get working(): boolean {
    return this.all.some(({ state }) => state === "working");
  }

  cancel(job: Job): void {
    if (job.state === "working") {
      this.send({ type: "cancel", id: job.id });
    } else if (job.state === "waiting") {
      job.state = "cancelled";
      this.changed(job, "cancelled");
    }
  }

  /** Take in what the worker says of a picture. */
  hear(report: PictureReport): void {
    const job = this.all[report.id];
    if (job === undefined) return;
    HEARD[report.type](job, report as never);
    this.changed(job, report.type);
    this.#forgetOldest(job);
    this.#next();
  }

  #next(): void {
    const job = this.all.find(({ state }) => state === "waiting");
    if (job === undefined || !this.#ready || this.working) return;
    job.state = "working";
    this.changed(job, "changed");
    this.send({ type: "enlarge", id: job.id, file: job.file, tile: this.tile() });
  }

  #forgetOldest(latest: Job): void {
    const held = this.all.filter((job) => job.comparison !== null && job !== latest);
    let pixels = held.reduce((sum, job) => sum + (job.comparison?.pixels ?? 0), latest.comparison?.pixels ?? 0);
    for (const job of held) {
      if (pixels <= MOST_PIXELS) return;
      pixels -= job.comparison?.pixels ?? 0;
      job.comparison?.close();
      job.comparison = null;
      this.changed(job, "changed");
    }
  }
}

const HEARD: { [Type in PictureReport["type"]]: (job: Job, report: Extract<PictureReport, { type: Type }>) => void } = {
  opened(job, { picture }) {
    job.comparison = new Comparison(picture);
    job.width = picture.width;
    job.height = picture.height;
    job.begun = performance.now();
  },
  tile(job, { done, total, part }) {
    job.done = done;
    job.total = total;
    job.comparison?.add(part);
  },
  done(job, { png, speed }) {
    job.state = "done";
    job.png = png;
    job.speed = speed;
  },
  failed(job, { message }) {
    job.state = "failed";
    job.message = message;
  },
  cancelled(job) {
    job.state = "cancelled";
  },
};
