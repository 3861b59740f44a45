/** Buttons that are on or off. */

const root = document.documentElement;

export function pressed(button, on) {
  button.setAttribute("aria-pressed", String(on));
}

/** Turn a switch of the page, which its style sheet sees, over or to ``on``; how it is then. */
export function turn(button, on = !root.hasAttribute(`data-${button.id}`)) {
  root.toggleAttribute(`data-${button.id}`, on);
  pressed(button, on);
  return on;
}

/** Whether an opened mouth is the person's own: as the server has it, until they say. */
export class MouthSwitch {
  #button;
  #words;
  #send;
  #own = null;

  constructor(ids, send) {
    [this.#button, this.#words, this.#send] = [ids("mouth"), ids("mouth-words"), send];
    this.#button.addEventListener("click", () => this.#turn());
  }

  /** @param {(message: object) => void} send to a new connection, which does not know it */
  sendTo(send) {
    if (this.#own !== null) send({ type: "mouth", own: this.#own });
  }

  /** @param {boolean} own how the server begins */
  begin(own) {
    pressed(this.#button, this.#own ?? own);
  }

  say(why) {
    this.#words.textContent = `${why[0].toUpperCase()}${why.slice(1)}`;
  }

  #turn() {
    this.#own = this.#button.ariaPressed !== "true";
    pressed(this.#button, this.#own);
    this.#send({ type: "mouth", own: this.#own });
    if (!this.#own) this.#words.textContent = "";
  }
}
