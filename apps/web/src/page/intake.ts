/** How pictures come in: the file picker, drag and drop, paste. */

import { byId } from "./dom";

/** Calls `take` with files from anywhere; they may be of any kind. */
export function listenToIntake(take: (files: File[]) => void): void {
  const picker = byId("picker", HTMLInputElement);
  byId("choose", HTMLButtonElement).addEventListener("click", () => picker.click());
  picker.addEventListener("change", () => {
    take([...(picker.files ?? [])]);
    picker.value = ""; // the same file can be chosen again
  });
  document.addEventListener("paste", (event) => give(event.clipboardData, take));
  listenToDrops(take);
}

function listenToDrops(take: (files: File[]) => void): void {
  const root = document.documentElement;
  let depth = 0; // enter and leave are told of every element inside, too
  const inside = (change: number) => {
    depth = change === 0 ? 0 : depth + change;
    root.classList.toggle("dropping", depth > 0);
  };
  root.addEventListener("dragenter", () => inside(1));
  root.addEventListener("dragleave", () => inside(-1));
  root.addEventListener("dragover", (event) => event.preventDefault());
  root.addEventListener("drop", (event) => {
    event.preventDefault();
    inside(0);
    give(event.dataTransfer, take);
  });
}

function give(data: DataTransfer | null, take: (files: File[]) => void): void {
  const files = [...(data?.files ?? [])];
  if (files.length > 0) take(files);
}
