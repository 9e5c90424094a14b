/** The page: takes pictures in, shows what the worker makes of them, gives files out. */

import sampleUrl from "@pictures/sample.jpg?url";
import enlargedSampleUrl from "@stored/sample_x4.webp?url";
import { bundle } from "../engine/bundle_facts";
import { startOffline } from "../offline/register";
import type { Report, Request } from "../worker/protocol";
import { finishedComparison } from "./comparison";
import { announce, byId, make } from "./dom";
import { convert, FORMATS, type FormatName, nameOf, save, whyNotAs } from "./download";
import { EnginePanel } from "./engine_panel";
import { listenToIntake } from "./intake";
import { JobList } from "./job_list";
import { type Job, Jobs } from "./jobs";
import { Viewer } from "./viewer";

const viewer = new Viewer();
const caption = byId("caption", HTMLElement);
const tileChoice = byId("tile-choice", HTMLSelectElement);
const formatChoice = byId("format-choice", HTMLSelectElement);
let worker: Worker | null = null;

const send = (request: Request) => worker?.postMessage(request);
const panel = new EnginePanel(startEngine);
const list = new JobList({
  show: (job) => show(job),
  cancel: (job) => jobs.cancel(job),
  download: (job) => void download(job),
  again: (job) => jobs.add([job.file]),
});

const jobs = new Jobs(
  send,
  () => Number(tileChoice.value) || null,
  (job, event) => {
    if (event === "opened") show(job);
    if (event === "done" && job.speed !== null && job.state === "done") panel.finished(job.speed);
    panel.locked = jobs.working;
    list.update(job, viewer.shown !== null && viewer.shown === job.comparison);
    const spoken = SPOKEN[event]?.(job);
    if (spoken !== undefined) announce(spoken);
  },
);

const SPOKEN: Record<string, (job: Job) => string> = {
  opened: (job) => `Enlarging ${job.file.name}`,
  done: (job) => `${job.file.name} is done: ${job.width} by ${job.height} pixels`,
  failed: (job) => job.message,
  cancelled: (job) => `${job.file.name} was cancelled`,
};

function show(job: Job): void {
  if (job.comparison === null) return;
  viewer.show(job.comparison);
  const { width, height } = job;
  const sizes = `${width / bundle.scale}×${height / bundle.scale} to ${width}×${height}`;
  caption.textContent = `${job.file.name}, ${sizes}`;
  for (const each of jobs.all) list.update(each, each === job);
}

async function download(job: Job): Promise<void> {
  const format = formatChoice.value as FormatName;
  const problem = whyNotAs(format, job.width, job.height);
  if (job.png === null || problem !== null) {
    complain(problem ?? `${job.file.name} is not done yet`);
    return;
  }
  try {
    save(await convert(job.png, format), nameOf(job.file.name, bundle.scale, format));
  } catch (error) {
    complain(`${job.file.name} cannot be saved as ${format.toUpperCase()} (${error}); take PNG`);
  }
}

function complain(message: string): void {
  byId("complaint", HTMLElement).textContent = message;
}

function take(files: readonly File[]): void {
  complain("");
  jobs.add(files);
}

async function trySample(): Promise<void> {
  const blob = await (await fetch(sampleUrl)).blob();
  take([new File([blob], "sample.jpg", { type: blob.type })]);
}

function startEngine(key: string | null): void {
  jobs.ready = false;
  worker ??= startWorker();
  send({ type: "start", engine: key });
}

function startWorker(): Worker {
  const started = new Worker(new URL("../worker/worker.ts", import.meta.url), { type: "module" });
  started.onmessage = ({ data }: MessageEvent<Report>) => hear(data);
  started.onerror = () => panel.unusable("The part that enlarges pictures did not start; reload the page.");
  return started;
}

function hear(report: Report): void {
  if (report.type === "trying") {
    panel.trying(report.label);
  } else if (report.type === "unusable") {
    panel.unusable(report.message);
  } else if (report.type === "ready") {
    panel.ready(report);
    jobs.ready = true;
  } else {
    jobs.hear(report);
  }
}

function fillChoices(): void {
  tileChoice.append(...bundle.tiles.map((side) => make("option", `${side}×${side}`, { value: String(side) })));
  formatChoice.append(...Object.keys(FORMATS).map((name) => make("option", name.toUpperCase(), { value: name })));
}

async function main(): Promise<void> {
  fillChoices();
  listenToIntake(take);
  byId("try-sample", HTMLButtonElement).addEventListener("click", () => void trySample());
  const sample = await finishedComparison(sampleUrl, enlargedSampleUrl);
  if (viewer.shown === null) viewer.show(sample);
  await startOffline();
  startEngine(null);
}

void main();
