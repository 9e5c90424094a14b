/** Which engine runs the model here, how fast, and the choice of another. */

import { CANDIDATES } from "../engine/candidates";
import type { Verdict } from "../engine/choose";
import type { Report, Speed } from "../worker/protocol";
import { byId, make } from "./dom";

type Ready = Extract<Report, { type: "ready" }>;

export class EnginePanel {
  readonly #summary = byId("engine", HTMLElement);
  readonly #speed = byId("speed", HTMLElement);
  readonly #verdicts = byId("verdicts", HTMLTableSectionElement);
  readonly #choice = byId("engine-choice", HTMLSelectElement);

  /** `choose` is called with the key of a candidate, or with null for the fastest. */
  constructor(choose: (key: string | null) => void) {
    this.#choice.append(...CANDIDATES.map(({ key, label }) => make("option", label, { value: key })));
    this.#choice.addEventListener("change", () => choose(this.#choice.value || null));
  }

  trying(label: string): void {
    this.#state("busy", `Loading the model and checking it: ${label}…`);
  }

  ready({ chosen, verdicts, threads }: Ready): void {
    const { candidate, millisecondsPerTile } = chosen;
    const on = candidate.device === "wasm" ? `, ${threads} ${threads === 1 ? "thread" : "threads"}` : "";
    this.#state("ready", `Ready: ${candidate.label}${on}`);
    this.#speed.textContent = `${(1000 / (millisecondsPerTile ?? Infinity)).toFixed(1)} tiles/s of 128×128`;
    this.#verdicts.replaceChildren(...verdicts.map(row));
  }

  unusable(message: string): void {
    this.#state("broken", message);
  }

  finished({ tiles, tileWidth, tileHeight, seconds }: Speed): void {
    this.#speed.textContent = `${(tiles / seconds).toFixed(1)} tiles/s of ${tileWidth}×${tileHeight}`;
  }

  set locked(locked: boolean) {
    this.#choice.disabled = locked;
  }

  #state(state: string, text: string): void {
    this.#summary.dataset.state = state;
    this.#summary.textContent = text;
  }
}

function row({ candidate, problem, difference, millisecondsPerTile }: Verdict): HTMLTableRowElement {
  const cells = [
    candidate.label,
    millisecondsPerTile === null ? "–" : `${millisecondsPerTile.toFixed(0)} ms`,
    difference === null ? "–" : `${difference.worst} at most, ${difference.mean.toFixed(3)} on average`,
    problem ?? "reproduced",
  ];
  const line = make("tr");
  line.append(...cells.map((cell, i) => make(i === 0 ? "th" : "td", cell, i === 0 ? { scope: "row" } : {})));
  return line;
}
