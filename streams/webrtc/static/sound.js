/** The person's microphone, its level, and the sound that comes back with the avatar. */

import { openMicrophone } from "./camera.js";
import { Level } from "./level.js";

/** Events: "change" (the track is another one, or none). */
export class Sound extends EventTarget {
  #ids;
  #level;
  #turn = 0;
  #asking = false;
  #live = false;

  /** @type {MediaStreamTrack | null} */
  track = null;

  /** @param {(id: string) => HTMLElement} ids finds elements */
  constructor(ids) {
    super();
    this.#ids = ids;
    this.#level = new Level(ids("level"));
    ids("microphone").addEventListener("click", () => this.#toggle());
    ids("listen").addEventListener("click", () => this.#hear(ids("avatar").muted));
  }

  /** @param {boolean} live whether an avatar is there, whose sound can be heard */
  set live(live) {
    this.#live = live;
    this.#show();
  }

  say(text) {
    Object.assign(this.#ids("sound"), { textContent: text, hidden: !text });
  }

  stop() {
    this.#turn += 1; // a microphone that the browser still opens is not wanted any more
    this.track?.stop();
    this.#use(null);
  }

  async #toggle() {
    if (this.#asking) return undefined;
    const turn = this.#turn;
    this.#asking = true;
    try {
      const track = this.track ? null : await openMicrophone();
      if (turn !== this.#turn) return track?.stop();
      this.track?.stop();
      this.#use(track);
    } catch (problem) {
      return this.say(problem.title);
    } finally {
      this.#asking = false;
    }
    this.say(this.track ? "Your voice comes back with the avatar; recordings have it." : "");
    return this.dispatchEvent(new Event("change"));
  }

  #use(track) {
    this.track = track;
    this.#level.watch(track);
    if (!track) this.#hear(false);
    this.#show();
  }

  #hear(on) {
    this.#ids("avatar").muted = !on;
    this.#ids("listen").setAttribute("aria-pressed", String(on));
    if (on) this.say("Wear headphones, or it echoes.");
  }

  #show() {
    this.#ids("microphone").setAttribute("aria-pressed", String(this.track !== null));
    this.#ids("listen").disabled = !(this.#live && this.track);
  }
}
