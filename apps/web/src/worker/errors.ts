/** A mistake or a lack that the visitor can mend: one line that says what failed, on which file, and what to do. */
export class PictureError extends Error {}
