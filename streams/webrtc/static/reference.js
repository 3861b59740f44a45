/** The reference that all motion is relative to: taken, searched, and how the face is now. */

const ANSWER_MS = 12_000;

export class Reference {
  #ids;
  #send;
  #answer = 0;

  /** @param {(id: string) => HTMLElement} ids @param {(message: object) => void} send to the server */
  constructor(ids, send) {
    this.#ids = ids;
    this.#send = send;
    ids("reference").addEventListener("click", () => this.take());
    ids("search").addEventListener("click", () => this.#ask("search", "Looking for 4 seconds: move a little, then rest."));
  }

  /** The face as it is now. */
  take() {
    this.#ask("reference", "…");
  }

  /** The server's answer. */
  answered({ ok, why }) {
    clearTimeout(this.#answer);
    const first = ok ? "Reference set" : "The reference stays as it was";
    this.#ids("reference-words").textContent = why ? `${first}${ok ? ", but " : ": "}${why}.`.replace("..", ".") : `${first}.`;
  }

  /** How the face is now. */
  hint({ neutral, why, none = false }) {
    if (none) this.#forget();
    this.#ids("neutral").dataset.neutral = none ? "" : neutral ? "yes" : "no";
    const words = none ? "No face yet" : neutral ? "Your face is at rest" : `Not at rest${why ? `: ${why}` : ""}`;
    if (this.#ids("neutral-words").textContent !== words) this.#ids("neutral-words").textContent = words;
  }

  /** What was said of a reference ends with its connection. */
  #forget() {
    clearTimeout(this.#answer);
    this.#ids("reference-words").textContent = "";
  }

  #ask(type, text) {
    this.#send({ type });
    this.#ids("reference-words").textContent = text;
    clearTimeout(this.#answer);
    this.#answer = setTimeout(() => this.answered({ ok: false, why: "the server did not answer" }), ANSWER_MS);
  }
}
