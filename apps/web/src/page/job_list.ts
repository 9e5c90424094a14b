/** The list of pictures: a card each, with its progress and what can be done with it. */

import { bytes, duration, timeLeft } from "../core/words";
import { byId, make } from "./dom";
import type { Job } from "./jobs";

/** What the buttons of a card do. */
export interface JobActions {
  show(job: Job): void;
  cancel(job: Job): void;
  download(job: Job): void;
  again(job: Job): void;
}

interface Card {
  readonly root: HTMLLIElement;
  readonly status: HTMLElement;
  readonly progress: HTMLProgressElement;
  readonly buttons: Readonly<Record<keyof JobActions, HTMLButtonElement>>;
}

const BUTTONS: Record<keyof JobActions, { text: string; when: (job: Job) => boolean }> = {
  show: { text: "Show", when: (job) => job.comparison !== null },
  download: { text: "Download", when: (job) => job.state === "done" },
  cancel: { text: "Cancel", when: (job) => job.state === "waiting" || job.state === "working" },
  again: { text: "Try again", when: (job) => job.state === "cancelled" },
};

export class JobList {
  readonly #list = byId("jobs", HTMLUListElement);
  readonly #cards = new Map<Job, Card>();

  constructor(private readonly actions: JobActions) {}

  /** Draw a job as it is now. */
  update(job: Job, shown: boolean): void {
    const card = this.#cards.get(job) ?? this.#add(job);
    card.root.dataset.state = job.state;
    card.root.classList.toggle("shown", shown);
    card.status.textContent = STATUS[job.state](job);
    card.progress.hidden = job.state !== "working";
    if (job.total > 0) card.progress.value = job.done / job.total;
    const focused = document.activeElement;
    for (const [name, button] of Object.entries(card.buttons)) {
      button.hidden = !BUTTONS[name as keyof JobActions].when(job);
    }
    card.buttons.show.setAttribute("aria-pressed", String(shown));
    // The focus does not fall off the page with the button it was on.
    if (focused instanceof HTMLButtonElement && focused.hidden && card.root.contains(focused)) {
      Object.values(card.buttons)
        .find((button) => !button.hidden)
        ?.focus();
    }
  }

  #add(job: Job): Card {
    const root = make("li", "", { class: "job" });
    const progress = make("progress", "", { "aria-label": `Progress of ${job.file.name}` });
    const status = make("p", "", { class: "status" });
    const row = make("div", "", { class: "buttons" });
    const buttons = Object.fromEntries(
      Object.entries(BUTTONS).map(([name, { text }]) => {
        const button = make("button", text, { type: "button", "aria-label": `${text} ${job.file.name}` });
        button.addEventListener("click", () => this.actions[name as keyof JobActions](job));
        row.append(button);
        return [name, button];
      }),
    ) as Card["buttons"];
    buttons.download.classList.add("primary");
    root.append(make("h3", job.file.name), status, progress, row);
    this.#list.prepend(root);
    const card = { root, status, progress, buttons };
    this.#cards.set(job, card);
    return card;
  }
}

const STATUS: Record<Job["state"], (job: Job) => string> = {
  waiting: () => "Waiting",
  working: (job) => {
    if (job.done === 0) return job.total === 0 ? "Opening…" : "Starting…";
    const left = timeLeft(job.done, job.total, (performance.now() - job.begun) / 1000);
    return `Tile ${job.done} of ${job.total}, ${duration(left)} left`;
  },
  done: (job) => `${job.width}×${job.height}, ${duration(job.speed?.seconds ?? 0)}, ${bytes(job.png?.size ?? 0)}`,
  failed: (job) => job.message,
  cancelled: () => "Cancelled",
};
