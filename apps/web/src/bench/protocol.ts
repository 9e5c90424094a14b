/** What the measuring page and its workers say to each other. */

import type { Candidate } from "../engine/candidates";

/** To a worker, once: the number of threads can be set only before the first session. */
export interface Order {
  readonly candidate: Candidate;
  readonly threads: number;
  readonly side: number;
}

/** To the page: times in milliseconds, or why there are none. */
export interface Row extends Order {
  readonly load: number | null;
  readonly tile: number | null;
  readonly problem: string | null;
}
