/** Keeps a connection for as long as the person wants one: waits, retries, reconnects. */

import { Connection } from "./connection.js";
import { Problem } from "./api.js";

const POLL_S = 1;
const LONGEST_S = 15;

/**
 * Events: "state" (detail: {name, problem?, seconds?}), "connection" (detail: the Connection that now
 * counts, whose "message" events are repeated here), "message".
 *
 * States: "off", "loading" (the model), "connecting", "live", "waiting" (for the next try), "failed".
 */
export class Link extends EventTarget {
  #api;
  #video;
  #stop = null;
  #hurry = () => {};

  /** @type {Connection | null} */
  connection = null;

  /** @param {HTMLVideoElement} video shows the avatar */
  constructor(api, video) {
    super();
    this.#api = api;
    this.#video = video;
  }

  get wanted() {
    return this.#stop !== null;
  }

  /**
   * @param {() => {video: MediaStreamTrack, audio: MediaStreamTrack | null, background: string | null}} tracks asked
   *   at every try
   * @param {(state: object) => Promise<string | null>} portrait the id of the one to begin with, asked at every try:
   *   a server that began anew has other portraits
   */
  async start(tracks, portrait) {
    this.stop(true);
    const stop = new AbortController();
    this.#stop = stop;
    try {
      await this.#keep(tracks, portrait, stop.signal);
    } catch (problem) {
      if (stop.signal.aborted) return;
      this.#stop = null;
      const said = problem instanceof Problem ? problem : new Problem("The connection could not be made.", problem.message);
      this.#say("failed", { problem: said });
    }
  }

  /** @param {boolean} [silently] without a word, because more is to come, or the page is being left */
  stop(silently = false) {
    this.#stop?.abort();
    this.#stop = null;
    this.#drop();
    if (!silently) this.#say("off");
  }

  /** Do not wait for the next try. */
  hurry() {
    this.#hurry();
  }

  send(message) {
    this.connection?.send(message);
  }

  async #keep(tracks, portrait, signal) {
    for (let tries = 0; ; ) {
      try {
        const state = await this.#ready(signal);
        this.#say("connecting");
        const chosen = await portrait(state);
        const problem = await this.#once({ ...tracks(), portrait: chosen }, state.ice_servers ?? [], signal, () => (tries = 0));
        throw problem;
      } catch (problem) {
        this.#drop();
        if (signal.aborted || !(problem instanceof Problem) || problem.final) throw problem;
        const seconds = problem.retryAfter ?? backOff(tries);
        tries += 1;
        await this.#wait(seconds, problem, signal);
      }
    }
  }

  /** Until the server has its model. */
  async #ready(signal) {
    for (;;) {
      const state = await this.#api.state(signal);
      if (state.ready) return state;
      this.#say("loading", { reason: state.reason });
      await pause(POLL_S, signal);
    }
  }

  /** One connection from its start to its end; the Problem that ended it. */
  async #once({ video, audio, ...look }, iceServers, signal, worked) {
    const connection = new Connection(this.#api, this.#video, iceServers);
    this.connection = connection;
    let stopped;
    const ended = new Promise((resolve) => {
      connection.addEventListener("end", ({ detail }) => resolve(detail), { once: true });
      stopped = () => resolve(new Problem("Stopped.", "", { final: true }));
      signal.addEventListener("abort", stopped, { once: true });
    });
    connection.addEventListener("message", ({ detail }) => this.dispatchEvent(new CustomEvent("message", { detail })));
    connection.addEventListener("open", () => this.dispatchEvent(new CustomEvent("connection", { detail: connection })));
    connection.addEventListener("frame", () => {
      worked();
      this.#say("live");
    });
    try {
      await connection.open(video, audio, look, signal);
      return await ended;
    } finally {
      signal.removeEventListener("abort", stopped);
    }
  }

  async #wait(seconds, problem, signal) {
    const until = performance.now() + 1000 * seconds;
    let hurried = false;
    this.#hurry = () => (hurried = true);
    for (;;) {
      const left = Math.ceil((until - performance.now()) / 1000);
      if (hurried || left <= 0) break;
      this.#say("waiting", { problem, seconds: left });
      await pause(0.25, signal);
    }
    this.#hurry = () => {};
  }

  #drop() {
    this.connection?.close();
    this.connection = null;
  }

  #say(name, more = {}) {
    this.dispatchEvent(new CustomEvent("state", { detail: { name, ...more } }));
  }
}

/** Seconds before the next try: 0.5, 1, 2, 4, 8, 15, each a little apart from everybody else's. */
export function backOff(tries) {
  return Math.min(LONGEST_S, 0.5 * 2 ** tries) * (0.9 + 0.2 * Math.random());
}

function pause(seconds, signal) {
  return new Promise((resolve, reject) => {
    const give = () => {
      clearTimeout(end);
      reject(new Problem("Stopped.", "", { final: true }));
    };
    const end = setTimeout(() => {
      signal.removeEventListener("abort", give); // a page may wait for a server all night
      resolve();
    }, 1000 * seconds);
    if (signal.aborted) give();
    else signal.addEventListener("abort", give, { once: true });
  });
}
