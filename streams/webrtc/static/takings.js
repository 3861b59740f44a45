/** The buttons with which the person takes something along: recordings and snapshots. */

import { Recorder, download, signed, snapshot } from "./keep.js";

const TICK_MS = 250;

export class Takings {
  #api;
  #ids;
  #recorder = new Recorder();
  #stream;

  /** Whether the server signs what is kept. */
  credentials = false;

  /** @param {(id: string) => HTMLElement} ids @param {() => MediaStream} stream what is recorded */
  constructor(api, ids, stream) {
    this.#api = api;
    this.#ids = ids;
    this.#stream = stream;
    ids("record").addEventListener("click", () => this.#record());
    addEventListener("beforeunload", (event) => this.#recorder.running && event.preventDefault()); // it would be lost
    ids("snapshot").addEventListener("click", async () => this.#save(await snapshot(ids("avatar"))));
  }

  /** Whether to stop: a running recording is asked about. */
  mayStop() {
    return !this.#recorder.running || confirm("You are recording. Stop, and keep what is recorded?");
  }

  /** End the recording that runs; it is saved. */
  finish() {
    if (this.#recorder.running) this.#record();
  }

  #record() {
    const start = !this.#recorder.running;
    if (start) this.#recorder.start(this.#stream(), (file) => this.#save(file));
    else this.#recorder.stop();
    this.#ids("record").setAttribute("aria-pressed", String(start));
    const tick = () => {
      const { running, seconds } = this.#recorder;
      this.#ids("record-word").textContent = running ? `Stop ${clock(seconds)}` : "Record";
      Object.assign(this.#ids("recording"), { textContent: running ? `Recording ${clock(seconds)}` : "", hidden: !running });
      if (running) setTimeout(tick, TICK_MS);
    };
    tick();
  }

  async #save(file) {
    const link = this.#ids("saved");
    if (!this.credentials) return download(file, link);
    const { file: kept, note } = await signed(file, this.#api, link);
    return download(kept, link, note);
  }
}

function clock(seconds) {
  return `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;
}
