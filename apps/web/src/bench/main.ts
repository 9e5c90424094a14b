/** The page that measures every engine of this browser, with one thread, two, and as many as the app uses. */

import { CANDIDATES, type Candidate, threadsHere } from "../engine/candidates";
import { byId, make } from "../page/dom";
import type { Order, Row } from "./protocol";

const button = byId("measure", HTMLButtonElement);
const side = byId("side", HTMLSelectElement);
const state = byId("state", HTMLElement);
const table = byId("rows", HTMLTableSectionElement);

function threadsOf(candidate: Candidate): number[] {
  if (candidate.device !== "wasm") return [1];
  return [...new Set([1, 2, threadsHere()])].filter((threads) => threads <= threadsHere());
}

function run(order: Order): Promise<Row> {
  const worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
  return new Promise<Row>((resolve, reject) => {
    worker.onmessage = ({ data }: MessageEvent<Row>) => resolve(data);
    worker.onerror = ({ message }) => reject(new Error(message));
    worker.postMessage(order);
  }).finally(() => worker.terminate());
}

function line({ candidate, threads, load, tile, problem }: Row): HTMLTableRowElement {
  const times = [`${load?.toFixed(0)} ms`, `${tile?.toFixed(0)} ms`, (1000 / (tile ?? Infinity)).toFixed(2)];
  const cells = [candidate.label, String(threads), ...(problem === null ? times : [problem])];
  const row = make("tr");
  row.append(...cells.map((cell) => make("td", cell)));
  return row;
}

async function measure(): Promise<void> {
  button.disabled = true;
  table.replaceChildren();
  const rows: Row[] = [];
  const orders = CANDIDATES.flatMap((candidate) =>
    threadsOf(candidate).map((threads) => ({ candidate, threads, side: Number(side.value) })),
  );
  for (const order of orders) {
    state.textContent = `${order.candidate.label}, ${order.threads} …`;
    rows.push(await run(order));
    table.append(line(rows.at(-1) as Row));
  }
  byId("json", HTMLElement).textContent = JSON.stringify(rows, null, 1);
  state.textContent = "Done";
  button.disabled = false;
}

button.addEventListener("click", () => void measure());
