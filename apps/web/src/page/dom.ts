/** The elements of the page. */

/** The element with this id. Throws where there is none of that kind: page and code do not fit each other. */
export function byId<T extends HTMLElement>(id: string, kind: abstract new () => T): T {
  const element = document.getElementById(id);
  if (!(element instanceof kind)) throw new Error(`the page has no ${kind.name} #${id}`);
  return element;
}

/** A new element with text and attributes. */
export function make<Name extends keyof HTMLElementTagNameMap>(
  name: Name,
  text = "",
  attributes: Readonly<Record<string, string>> = {},
): HTMLElementTagNameMap[Name] {
  const element = document.createElement(name);
  element.textContent = text;
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

const announcer = () => byId("announcer", HTMLElement);

/** Have a screen reader say something. */
export function announce(text: string): void {
  announcer().textContent = text;
}
