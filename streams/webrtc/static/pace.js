/** How many frames a second the camera is asked for: 60 where it offers them and the server keeps up. */

import { askForRate } from "./camera.js";

const USUAL = 30;
const FAST = 60;

/** Milliseconds of the server's work on a frame, in all stages: at 60 a second they fill one and a half cores. */
const QUICK_MS = 26;

/** Of the usual rate, and of the fast one: so many must be drawn. */
const KEEPS = 27;
const KEEPS_FAST = 45;

/** Statistics in a row, two a second, after which it is so. */
const ROW = 8;

export class Pace {
  #track;
  #row = 0;
  #fast = false;
  #tried = false;

  /** @param {() => MediaStreamTrack | null} track the camera's */
  constructor(track) {
    this.#track = track;
  }

  /** A new connection, or another camera: begin at the usual rate. */
  begin() {
    if (this.#fast) this.#ask(USUAL);
    this.#tried = false;
  }

  /** @param {{fps: number, track_ms: number, render_ms: number, encode_ms: number}} stats the server's */
  hear(stats) {
    if (this.#fast) this.#count(stats.fps < KEEPS_FAST, USUAL);
    else if (!this.#tried && this.#offers()) this.#count(quick(stats), FAST);
  }

  #offers() {
    return (this.#track()?.getCapabilities?.().frameRate?.max ?? 0) >= FAST;
  }

  #count(holds, rate) {
    this.#row = holds ? this.#row + 1 : 0;
    if (this.#row >= ROW) this.#ask(rate);
  }

  /** Once up and once down for a connection: each may make the camera blink. */
  #ask(rate) {
    this.#row = 0;
    this.#fast = rate === FAST;
    this.#tried = true;
    const track = this.#track();
    if (track) askForRate(track, rate).catch(() => (this.#fast = false)); // it gives what it gave before
  }
}

/** Whether the server has time for twice as many frames. */
function quick({ fps, track_ms: track, render_ms: render, encode_ms: encode }) {
  return fps >= KEEPS && track + render + encode <= QUICK_MS;
}
