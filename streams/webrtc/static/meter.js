/** The running connection's numbers: the browser's own, and those that the server tells. */

import { Plot } from "./plot.js";

const EVERY_MS = 500;
const NAMED = [
  ["track_ms", "follow the face"],
  ["render_ms", "draw the avatar"],
  ["encode_ms", "encode it"],
  ["server_ms", "in the server, all in all"],
  ["network_ms", "network, there and back"],
  ["buffer_ms", "wait in this browser"],
  ["decode_ms", "decode it"],
];

export class Meter {
  #ids;
  #plot;
  #connection = null;
  #before = null;
  #server = {};
  #timer = 0;
  #spoken = 0;

  /** @param {(id: string) => HTMLElement} ids finds elements */
  constructor(ids) {
    this.#ids = ids;
    this.#plot = new Plot(ids("plot"));
  }

  /** @param {import("./connection.js").Connection | null} connection null: nothing runs */
  watch(connection) {
    clearInterval(this.#timer);
    this.#connection = connection;
    this.#before = null;
    this.#server = {};
    if (connection) this.#timer = setInterval(() => this.#look(), EVERY_MS);
    else this.#show({});
  }

  /** The server's own numbers. */
  hear(stats) {
    this.#server = stats;
  }

  async #look() {
    const connection = this.#connection;
    const now = read(await connection.stats());
    if (connection !== this.#connection) return;
    const before = this.#before;
    this.#before = now;
    if (!before || now.time <= before.time || !now.frames) return;
    const numbers = between(before, now, this.#server);
    this.#show(numbers);
    this.#plot.add({ fps: numbers.fps, latency: numbers.latency });
    this.#describe(numbers);
  }

  #show(numbers) {
    for (const name of ["fps", "latency", "dropped"]) this.#ids(name).textContent = whole(numbers[name]);
    const { camera } = numbers;
    this.#ids("fps-of").textContent = camera ? `of ${whole(camera)} per s` : "per s";
    this.#ids("bitrate").textContent = Number.isFinite(numbers.bitrate) ? numbers.bitrate.toFixed(1) : "–";
    const rows = NAMED.filter(([key]) => Number.isFinite(numbers[key])).map(([key, words]) => {
      const row = document.createElement("div");
      const [term, value] = [document.createElement("dt"), document.createElement("dd")];
      term.textContent = words;
      value.textContent = `${numbers[key].toFixed(1)} ms`;
      row.append(term, value);
      return row;
    });
    this.#ids("stages").replaceChildren(...rows);
  }

  /** The plot in words, now and then: a label that changes twice a second would never let a reader finish. */
  #describe({ fps, latency }) {
    if (performance.now() - this.#spoken < 5000) return;
    this.#spoken = performance.now();
    this.#ids("plot").setAttribute("aria-label", `The last minute: now ${whole(fps)} frames per second, latency ${whole(latency)} milliseconds.`);
  }
}

/** The counters of one moment. */
function read(report) {
  const found = { time: performance.now(), frames: 0 };
  for (const entry of report.values()) {
    if (entry.type === "inbound-rtp" && entry.kind === "video") {
      Object.assign(found, {
        frames: entry.framesDecoded ?? 0,
        bytes: entry.bytesReceived ?? 0,
        buffer: entry.jitterBufferDelay ?? 0,
        emitted: entry.jitterBufferEmittedCount ?? 0,
        decode: entry.totalDecodeTime ?? 0,
      });
    }
    if (entry.type === "media-source" && entry.kind === "video") found.camera = entry.framesPerSecond;
    if (entry.type === "candidate-pair" && entry.nominated) found.network = entry.currentRoundTripTime;
  }
  return found;
}

/** What happened between two moments; times in milliseconds. */
function between(before, now, server) {
  const seconds = (now.time - before.time) / 1000;
  const frames = now.frames - before.frames;
  const numbers = {
    fps: frames / seconds,
    camera: now.camera,
    bitrate: (8 * (now.bytes - before.bytes)) / seconds / 1e6,
    dropped: server.dropped,
    track_ms: server.track_ms,
    render_ms: server.render_ms,
    encode_ms: server.encode_ms,
    server_ms: server.latency_ms,
    network_ms: 1000 * now.network,
    buffer_ms: (1000 * (now.buffer - before.buffer)) / Math.max(1, now.emitted - before.emitted),
    decode_ms: (1000 * (now.decode - before.decode)) / Math.max(1, frames),
  };
  const parts = [numbers.server_ms, numbers.network_ms, numbers.buffer_ms, numbers.decode_ms];
  return { ...numbers, latency: parts.reduce((sum, part) => sum + part, 0) };
}

function whole(value) {
  return Number.isFinite(value) ? String(Math.round(value)) : "–";
}
