/** What the person chose, kept by the browser: camera, portrait, gains, mirrors. */

const KEPT = "mien-choices";

export class Choices {
  #kept = read();

  /** The choice of this name; undefined when nothing was chosen. */
  get(name) {
    return this.#kept[name];
  }

  set(name, value) {
    this.#kept[name] = value;
    try {
      localStorage.setItem(KEPT, JSON.stringify(this.#kept));
    } catch {
      // A browser that keeps nothing: the choices hold for this visit.
    }
  }
}

function read() {
  try {
    const kept = JSON.parse(localStorage.getItem(KEPT));
    return kept && typeof kept === "object" ? kept : {};
  } catch {
    return {};
  }
}
