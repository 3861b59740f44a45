/** Hold: the avatar rests while the person is away. */

export class Hold {
  #ids;
  #send;
  #on = false;

  constructor(ids, choices, send) {
    this.#ids = ids;
    this.#send = send;
    ids("hold").addEventListener("click", () => this.#set(!this.#on));
    const lost = ids("hold-lost");
    lost.checked = choices.get("holdWhenLost") !== false;
    lost.addEventListener("change", () => {
      choices.set("holdWhenLost", lost.checked);
      send({ type: "hold", when_lost: lost.checked });
    });
  }

  /** Tell a new connection. */
  sendTo(send) {
    send({ type: "hold", on: this.#on, when_lost: this.#ids("hold-lost").checked });
  }

  /** What the server says: the avatar rests, or does not. */
  hear(resting) {
    const words = !resting ? "" : this.#on ? "The avatar rests until you press Hold again." : "No face is seen: the avatar rests.";
    if (this.#ids("hold-words").textContent !== words) this.#ids("hold-words").textContent = words;
  }

  /** The next start begins with the person's own motion. */
  end() {
    this.#set(false);
    this.hear(false);
  }

  #set(on) {
    this.#on = on;
    this.#ids("hold").setAttribute("aria-pressed", String(on));
    this.#send({ type: "hold", on });
  }
}
